import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestFile } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/nn/safetensors.ts";
import { conform, type ParameterSpec, type Weight, type Weights } from "../../src/nn/weights.ts";

/**
 * Made by the safetensors 0.8 package of Hugging Face:
 *   a = np.array([[0.5, -1.25, 3.0]], np.float32)
 *   b = np.array([65504.0, -6.1035156e-05, 5.9604645e-08, 0.0], np.float16)
 *   c = np.array(7.0, np.float32); d = np.zeros((0, 2), np.float32)
 *   base64.b64encode(safetensors.numpy.save({"half.row": b, "full.matrix": a, "full.scalar": c, "full.none": d},
 *                                           metadata={"made by": "safetensors é"}))
 */
const fixture = Buffer.from(
  "MAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJtYWRlIGJ5Ijoic2FmZXRlbnNvcnMgw6kifSwiZnVsbC5tYXRyaXgiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzEsM10sImRhdGFfb2Zmc2V0cyI6WzAsMTJdfSwiZnVsbC5ub25lIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDJdLCJkYXRhX29mZnNldHMiOlsxMiwxMl19LCJmdWxsLnNjYWxhciI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbMTIsMTZdfSwiaGFsZi5yb3ciOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzRdLCJkYXRhX29mZnNldHMiOlsxNiwyNF19fSAgAAAAPwAAoL8AAEBAAADgQP97AIQBAAAA",
  "base64",
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const small: Weights = new Map([
  ["a", { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-9, 65504) }],
  ["b", { shape: [1], data: Float32Array.of(-0.1) }],
]);

describe("files made elsewhere", () => {
  test("names, shapes, values and metadata of a file by the Python package", () => {
    const { weights, metadata } = decodeSafetensors(fixture);
    expect(metadata).toEqual({ "made by": "safetensors é" });
    expect(weights.get("full.matrix")).toEqual({ shape: [1, 3], data: Float32Array.of(0.5, -1.25, 3) });
    expect(weights.get("full.none")).toEqual({ shape: [0, 2], data: new Float32Array() });
    expect(weights.get("full.scalar")).toEqual({ shape: [], data: Float32Array.of(7) });
    expect(weights.get("half.row")).toEqual({ shape: [4], data: Float32Array.of(65504, -(2 ** -14), 2 ** -24, 0) });
    expect(weights.size).toBe(4);
  });

  test("the tensors need not begin at a multiple of four in memory", () => {
    const shifted = new Uint8Array(fixture.length + 1);
    shifted.set(fixture, 1);
    expect(decodeSafetensors(shifted.subarray(1))).toEqual(decodeSafetensors(fixture));
  });
});

describe("round trip", () => {
  const weight = fc.array(fc.nat(3), { maxLength: 3 }).chain((shape) =>
    fc
      .array(fc.float({ noNaN: true }), {
        minLength: shape.reduce((a, b) => a * b, 1),
        maxLength: shape.reduce((a, b) => a * b, 1),
      })
      .map((values): Weight => ({ shape, data: Float32Array.from(values) })),
  );
  const weights = fc.uniqueArray(fc.tuple(fc.string(), weight), { selector: ([name]) => name, maxLength: 4 });

  test("f32 keeps every tensor", () => {
    fc.assert(
      fc.property(weights, fc.dictionary(fc.string(), fc.string()), (entries, metadata) => {
        const written = new Map(entries);
        const read = decodeSafetensors(encodeSafetensors(written, { metadata }));
        expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect([...read.weights].sort(byName)).toEqual([...written].sort(byName));
      }),
    );
  });

  test("f16 keeps what fits and takes half the room", () => {
    const bytes = encodeSafetensors(small, { dtype: "f16" });
    const { weights } = decodeSafetensors(bytes);
    expect([...weights.keys()]).toEqual(["a", "b"]);
    expect(weights.get("a")!.data).toEqual(Float32Array.of(1, -2, 3.5, 0, 0, 65504));
    expect(Math.abs(weights.get("b")!.data[0]! + 0.1)).toBeLessThan(0.1 * 2 ** -11);
    expect(encodeSafetensors(small).length - bytes.length).toBe(7 * 2);
  });
});

describe("hostile files", () => {
  const good = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const file = (header: unknown, data = 8, length?: bigint) => {
    const json = Buffer.from(typeof header === "string" || Buffer.isBuffer(header) ? header : JSON.stringify(header));
    const bytes = Buffer.alloc(8 + json.length + data);
    bytes.writeBigUInt64LE(length ?? BigInt(json.length));
    json.copy(bytes, 8);
    return bytes;
  };

  test.each<[string, Uint8Array, RegExp]>([
    ["empty", new Uint8Array(), /0 bytes/],
    ["seven bytes", new Uint8Array(7), /7 bytes/],
    ["a header longer than the file", file({ a: good }, 8, 1_000_000n), /claims 1000000 bytes/],
    ["a header of 2^64 − 1 bytes", file({ a: good }, 8, 2n ** 64n - 1n), /claims 18446744073709551615/],
    ["a header that is not JSON", file("{nonsense"), /not JSON/],
    ["a header that is not UTF-8", file(Buffer.of(0x7b, 0xff, 0x7d)), /not JSON/],
    ["a header that is an array", file([good]), /not a JSON object/],
    ["an entry that is null", file({ a: null }), /"a" has the dtype undefined/],
    ["a dtype unknown here", file({ a: { ...good, dtype: "I64" } }), /"a" has the dtype "I64"/],
    ["a negative length", file({ a: { ...good, shape: [-2] } }), /"a" has no valid shape/],
    ["a fractional length", file({ a: { ...good, shape: [0.5, 4] } }), /"a" has no valid shape/],
    ["a shape beyond numbers", file({ a: { ...good, shape: [2 ** 40, 2 ** 40] } }), /"a" takes bytes 0 to 8/],
    ["offsets that are text", file({ a: { ...good, data_offsets: ["0", "8"] } }), /data_offsets/],
    ["three offsets", file({ a: { ...good, data_offsets: [0, 8, 8] } }), /data_offsets/],
    ["offsets backwards", file({ a: { ...good, data_offsets: [8, 0] } }), /needs 8/],
    ["a shape larger than its bytes", file({ a: { ...good, shape: [3] } }), /needs 12/],
    ["an end beyond the file", file({ a: { ...good, shape: [4], data_offsets: [0, 16] } }), /take 16 bytes, but 8/],
    ["overlap", file({ a: good, b: { ...good, data_offsets: [4, 12] } }, 12), /"b" begins at byte 4.*ends at 8/],
    ["the same bytes twice", file({ a: good, b: good }), /"b" begins at byte 0.*ends at 8/],
    ["a gap", file({ a: good, b: { ...good, data_offsets: [12, 20] } }, 20), /"b" begins at byte 12.*from 8/],
    ["a gap in front", file({ a: { ...good, data_offsets: [4, 12] } }, 12), /begins at byte 4/],
    ["bytes nobody names", file({ a: good }, 12), /cut short or damaged/],
    ["cut short", file({ a: good }, 7), /take 8 bytes, but 7/],
    [
      "one name twice",
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      ),
      /"a" begins at byte 4/,
    ],
    ["metadata that is no text", file({ __metadata__: { a: 1 }, a: good }), /__metadata__/],
  ])("%s", (_, bytes, words) => {
    expect(() => decodeSafetensors(bytes)).toThrow(PipeError);
    expect(() => decodeSafetensors(bytes)).toThrow(words);
  });

  test("any damage gives a PipeError or weights, never another error", () => {
    const sound = encodeSafetensors(small, { metadata: { a: "b" } });
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), (at, byte, length) => {
        const bytes = sound.slice(0, length);
        if (at < length) bytes[at] = byte;
        try {
          decodeSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(PipeError);
        }
      }),
    );
  });

  test("names of Object's own members are only names", () => {
    const { weights } = decodeSafetensors(file('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'));
    expect([...weights.keys()]).toEqual(["__proto__"]);
  });
});

describe("on disk", () => {
  test("written, read again, with the digest of the file", async () => {
    const path = join(folder, "a.safetensors");
    const digest = await writeCheckpoint(path, small, { metadata: { step: "12" } });
    expect(await readCheckpoint(path)).toEqual({ weights: small, metadata: { step: "12" }, digest });
    expect(digest).toBe(await digestFile(path));
    await writeCheckpoint(path, new Map([...small].slice(1)));
    expect((await readCheckpoint(path)).weights.size).toBe(1);
    expect(readdirSync(folder)).toEqual(["a.safetensors"]);
  });

  test("a failure to write leaves the old file and nothing beside it", async () => {
    const path = join(folder, "taken");
    mkdirSync(join(path, "inner"), { recursive: true });
    await expect(writeCheckpoint(path, small)).rejects.toThrow(/taken: the checkpoint could not be written/);
    expect(readdirSync(folder)).toEqual(["a.safetensors", "taken"]);
  });

  test("what cannot be read is named", async () => {
    const text = join(folder, "text.safetensors");
    writeFileSync(text, "not a checkpoint at all");
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    await expect(readCheckpoint(join(folder, "absent"))).rejects.toThrow(/absent: the checkpoint does not exist/);
    await expect(readCheckpoint(text)).rejects.toThrow(/text\.safetensors: its header claims/);
    await expect(readCheckpoint(folder)).rejects.toThrow(/not a regular file/);
    await expect(readCheckpoint(fifo)).rejects.toThrow(/not a regular file/);
    expect(readFileSync(text, "utf8")).toBe("not a checkpoint at all");
  });
});

describe("fitting a network", () => {
  const specs: ParameterSpec[] = [
    { name: "b", shape: [1], start: "zeros" },
    { name: "a", shape: [2, 3], start: "ones" },
  ];

  test("weights come in the network's order", () => {
    expect([...conform(small, specs, "x").keys()]).toEqual(["b", "a"]);
  });

  test("each missing, misshaped and unknown tensor is named", () => {
    const wrong: Weights = new Map([
      ["a", { shape: [3, 2], data: new Float32Array(6) }],
      ["c", { shape: [2], data: new Float32Array(2) }],
    ]);
    expect(() => conform(wrong, specs, "my.safetensors")).toThrow(
      "my.safetensors does not fit the network:\n  missing: b [1]\n  wrong shape: a is [3, 2], not [2, 3]\n  unknown: c [2]",
    );
  });
});

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
