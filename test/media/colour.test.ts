import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ColourTags, lightToPq, planColour, pqToLight, toneCurve, toSdr } from "../../src/media/colour.ts";
import { decode } from "../../src/media/index.ts";
import { gamutMatrix } from "../../src/media/primaries.ts";
import { decoders, draw, hasFfmpeg } from "./clips.ts";

const folder = mkdtempSync(join(tmpdir(), "colour-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SD: ColourTags = {
  ...{ matrix: "unknown", transfer: "unknown", primaries: "unknown" },
  ...{ full: false, rgb: false, width: 640, height: 480 },
};

describe("the plan", () => {
  it("leaves tagged SDR to swscale, without a word", () => {
    for (const matrix of ["bt709", "bt470bg", "smpte170m", "smpte240m", "fcc"])
      for (const transfer of ["bt709", "smpte170m", "bt470bg", "iec61966-2-1", "unknown"])
        expect(planColour({ ...SD, matrix, transfer, width: 1920 })).toEqual({
          matrix: undefined,
          map: undefined,
          warnings: [],
        });
    expect(planColour({ ...SD, matrix: "gbr", rgb: true })).toMatchObject({ matrix: undefined, map: undefined });
  });

  it("takes BT.709 for what has no tag from 1280 columns or 720 lines on, and BT.601 below", () => {
    const of = (width: number, height: number) => planColour({ ...SD, width, height }).matrix;
    expect([of(640, 480), of(1278, 718), of(720, 576)]).toEqual(["smpte170m", "smpte170m", "smpte170m"]);
    expect([of(1280, 534), of(960, 720), of(1920, 1080), of(720, 1280)]).toEqual(Array(4).fill("bt709"));
  });

  it("names what it only comes near to, and HDR", () => {
    const said = (tags: Partial<ColourTags>) => planColour({ ...SD, ...tags }).warnings.join(" ");
    expect(said({ matrix: "bt2020c", primaries: "bt2020" })).toBe(
      "Its colours are coded as bt2020c, which is decoded as bt2020nc, the nearest that is known.",
    );
    expect(said({ transfer: "log100" })).toMatch(/coded as log100/);
    expect(said({ matrix: "bt2020nc", transfer: "smpte2084", primaries: "bt2020" })).toBe(
      "It is HDR video (PQ); its colours are tone-mapped to SDR.",
    );
    expect(said({ matrix: "bt2020nc", primaries: "bt2020" })).toBe("");
  });
});

describe("curves", () => {
  it("are those of the standards", () => {
    // BT.2408, table 1: 203 cd/m² is 58 % of PQ; SMPTE ST 2084: 100 and 1,000 cd/m².
    expect(lightToPq(203)).toBeCloseTo(0.5807, 4);
    expect(lightToPq(100)).toBeCloseTo(0.5081, 4);
    expect(lightToPq(1000)).toBeCloseTo(0.7518, 4);
    for (const light of [0.01, 1, 203, 10_000]) expect(pqToLight(lightToPq(light)) / light).toBeCloseTo(1, 6);
    // BT.2087, 3.2: BT.2020 → BT.709.
    const known = [1.6605, -0.5876, -0.0728, -0.1246, 1.1329, -0.0083, -0.0182, -0.1006, 1.1187];
    for (const [k, value] of gamutMatrix("bt2020", "bt709").entries()) expect(value).toBeCloseTo(known[k]!, 3);
    // White stays white, whichever white it was.
    for (const from of ["film", "smpte431", "smpte432", "smpte428", "ebu3213"])
      for (const at of [0, 3, 6])
        expect(
          gamutMatrix(from, "bt709")
            .slice(at, at + 3)
            .reduce((a, b) => a + b),
        ).toBeCloseTo(1, 6);
  });

  it("the tone curve keeps what is dark, ends at SDR's white, and never falls", () => {
    for (const light of [0, 1, 40, 80]) expect(toneCurve(light)).toBe(light);
    expect(toneCurve(1000)).toBeCloseTo(203, 1);
    expect(toneCurve(4000)).toBeCloseTo(203, 1);
    for (let light = 1; light < 1000; light += 7) {
      expect(toneCurve(light + 7)).toBeGreaterThan(toneCurve(light));
      expect(toneCurve(light)).toBeLessThanOrEqual(light);
    }
  });
});

/** One pixel by the formulas, no table. */
function slow(tags: ColourTags, [a, b, c]: readonly number[]): number[] {
  const [kr, kb] = [0.2627, 0.0593];
  const y = (a! / 256 - 16) / 219;
  const [u, v] = [(b! / 256 - 128) / 224, (c! / 256 - 128) / 224];
  const red = y + 2 * (1 - kr) * v;
  const blue = y + 2 * (1 - kb) * u;
  const green = (y - kr * red - kb * blue) / (1 - kr - kb);
  const signal = [red, green, blue].map((value) => Math.min(1, Math.max(0, value)));
  let light: number[];
  if (tags.transfer === "smpte2084") light = signal.map((one) => pqToLight(one));
  else {
    const [p, q, r] = [0.17883277, 0.28466892, 0.55991073];
    const scene = signal.map((one) => (one <= 0.5 ? one ** 2 / 3 : (Math.exp((one - r) / p) + q) / 12));
    const luminance = 0.2627 * scene[0]! + 0.678 * scene[1]! + 0.0593 * scene[2]!;
    light = scene.map((one) => 1000 * luminance ** 0.2 * one);
  }
  const most = Math.max(...light);
  const shown = light.map((one) => (most === 0 ? 0 : (one * toneCurve(most)) / most / 203));
  const m = gamutMatrix("bt2020", "bt709");
  return [0, 3, 6].map((at) => {
    const value = m[at]! * shown[0]! + m[at + 1]! * shown[1]! + m[at + 2]! * shown[2]!;
    return 255 * Math.min(1, Math.max(0, value)) ** (1 / 2.4);
  });
}

it.each(["smpte2084", "arib-std-b67"])("toSdr equals the formulas for %s, with any stride", (transfer) => {
  const tags = { ...SD, matrix: "bt2020nc", primaries: "bt2020", transfer };
  const [width, height, stride] = [37, 29, 40];
  let state = 7;
  const next = (low: number, high: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return low + ((state >> 8) % (high - low));
  };
  const planes = [
    [4096, 60160],
    [28000, 38000],
    [28000, 38000],
  ].map(([low, high]) => Uint16Array.from({ length: stride * height }, () => next(low!, high!)));
  const out = new Uint8Array(width * height * 3);
  const { map } = planColour(tags);
  toSdr(
    planes as unknown as [Uint16Array, Uint16Array, Uint16Array],
    [stride, stride, stride],
    { width, height },
    map!,
    out,
  );
  let worst = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      slow(
        tags,
        planes.map((plane) => plane[y * stride + x]!),
      ).forEach((value, k) => {
        // The tables' first steps are one or two levels apart where all is nearly black.
        worst = Math.max(worst, value < 8 ? 0 : Math.abs(value - out[(y * width + x) * 3 + k]!));
      });
  expect(worst).toBeLessThan(1.5);
});

describe.skipIf(!hasFfmpeg)("clips", () => {
  const tagged = (name: string, filter: string, format: string, [matrix, transfer, primaries]: readonly string[]) =>
    draw(
      folder,
      name,
      `color=black:size=64x48:rate=5:duration=1,format=${format},${filter}`,
      ...["-c:v", "ffv1", "-colorspace", matrix!, "-color_trc", transfer!, "-color_primaries", primaries!],
      ...["-color_range", "tv"],
    );
  const shown = async (path: string, decoder: "libav" | "ffmpeg") => {
    const decoding = decode(path, { decoder });
    const pixels: Uint8Array[] = [];
    for await (const { image } of decoding) pixels.push(image.data);
    expect(pixels).toHaveLength(5);
    const { verdict, warnings } = await decoding.ending;
    expect(verdict).toBe("complete");
    return { pixels, warnings };
  };

  // 10-bit code values of a colour, and what is to be seen of it.
  const RED_2020 = "geq=lum=64+876*0.2627:cb=512-896*0.139630:cr=960";
  it.each([
    ["YCgCo red", "geq=lum=64+876*0.25:cb=512-896*0.25:cr=960", ["ycgco", "bt709", "bt709"], [255, 0, 0]],
    ["SDR of BT.2020, grey", "geq=lum=502:cb=512:cr=512", ["bt2020nc", "bt709", "bt2020"], [128, 128, 128]],
    ["SDR of BT.2020, red", RED_2020, ["bt2020nc", "bt2020-10", "bt2020"], [255, 0, 0]],
    ["film primaries, white", "geq=lum=940:cb=512:cr=512", ["bt709", "bt709", "film"], [255, 255, 255]],
    ["BT.2020 CL, grey", "geq=lum=502:cb=512:cr=512", ["bt2020c", "bt2020-10", "bt2020"], [128, 128, 128]],
    // 203 cd/m² of PQ is .5807, which the curve brings to 137 cd/m²; 50 cd/m² (.4404) stay.
    ["PQ, 203 cd/m²", "geq=lum=64+876*0.5807:cb=512:cr=512", ["bt2020nc", "smpte2084", "bt2020"], undefined],
    ["PQ, 50 cd/m²", "geq=lum=64+876*0.4404:cb=512:cr=512", ["bt2020nc", "smpte2084", "bt2020"], [142, 142, 142]],
    ["ICtCp, 50 cd/m²", "geq=lum=64+876*0.4404:cb=512:cr=512", ["ictcp", "smpte2084", "bt2020"], [142, 142, 142]],
    ["HLG, black", "geq=lum=64:cb=512:cr=512", ["bt2020nc", "arib-std-b67", "bt2020"], [0, 0, 0]],
    ["HLG, its white", "geq=lum=940:cb=512:cr=512", ["bt2020nc", "arib-std-b67", "bt2020"], [255, 255, 255]],
    ["logarithmic", "geq=lum=940:cb=512:cr=512", ["bt709", "log100", "bt709"], [255, 255, 255]],
  ] as const)("%s: as the standard says, and the same from both decoders", async (name, filter, tags, colour) => {
    const path = tagged(`${name.replace(/\W+/g, "-")}.mkv`, filter, "yuv444p10le", tags);
    const heard = [];
    for (const decoder of decoders) heard.push(await shown(path, decoder));
    for (const { pixels, warnings } of heard) {
      expect(warnings).toEqual(heard[0]!.warnings);
      const [r, g, b] = pixels[0]!;
      const level = 255 * (toneCurve(203) / 203) ** (1 / 2.4);
      (colour ?? [level, level, level]).forEach((value, k) => {
        expect(Math.abs([r!, g!, b!][k]! - value), `${r},${g},${b}`).toBeLessThanOrEqual(2);
      });
      for (const [k, data] of pixels.entries()) expect(Buffer.compare(data, heard[0]!.pixels[k]!)).toBe(0);
    }
  });

  it.each([
    ["hd", "1280x720", "bt709"],
    ["sd", "640x480", "smpte170m"],
  ])("%s without a tag: red is red", async (name, size, matrix) => {
    const path = draw(
      folder,
      `${name}.mkv`,
      `color=red:size=${size}:rate=5:duration=1,format=gbrp,scale=out_color_matrix=${matrix},format=yuv420p`,
      ...["-c:v", "ffv1", "-colorspace", "unknown"],
    );
    for (const decoder of decoders) {
      const { pixels, warnings } = await shown(path, decoder);
      const [r, g, b] = pixels[0]!;
      expect(Math.abs(r! - 255) + g! + b!, `${decoder}: ${r},${g},${b}`).toBeLessThan(10);
      expect(warnings).toEqual([]);
    }
  });
});
