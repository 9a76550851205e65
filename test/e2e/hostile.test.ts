import { execFileSync } from "node:child_process";
import { copyFile, mkdir, open, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasMedia, media } from "../media.ts";
import { leftovers, pipe, published, reportOf, sample, scratch } from "./pipe.ts";

const run = (output: string, ...more: string[]) =>
  [
    "run",
    "extract-latents",
    "--preset",
    "small",
    "--progress",
    "none",
    "--fps",
    "2",
    "--output",
    output,
    ...more,
  ] as const;

const itemsByName = async (output: string) =>
  new Map((await reportOf(output)).items.map((item) => [item.source.name, item]));

describe("bad input is recorded with its reason and the rest goes on", () => {
  it("one bad file among ten: nine done, exit 2, the reason in report.json", async () => {
    const folder = await scratch();
    const input = join(folder, "in");
    await mkdir(input);
    // Nine files of different bytes: what follows the last box of an mp4 does not change its frames.
    for (let i = 0; i < 9; i++) {
      await copyFile(sample("one-face.mp4"), join(input, `clip-${i}.mp4`));
      const file = await open(join(input, `clip-${i}.mp4`), "a");
      await file.write(Buffer.from([0, 0, 0, 9, 0x66, 0x72, 0x65, 0x65, i]));
      await file.close();
    }
    await writeFile(join(input, "bad.mp4"), "This is no video.\n");
    const output = join(folder, "out");
    const { code, stdout } = await pipe(run(output, "--input", input));
    expect(code).toBe(2);
    const { items, totals } = await reportOf(output);
    expect(totals).toMatchObject({ items: 10, done: 9, failed: 1 });
    const bad = items.find(({ status }) => status === "failed");
    expect(bad?.source.name).toBe("bad.mp4");
    expect(bad?.reason).toMatch(/\w{4}/);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(output);
    expect(await leftovers(output)).toEqual([]);
  }, 90_000);

  it("files that are no videos fail, each with a sentence; names of every kind work", async () => {
    const folder = await scratch();
    const input = join(folder, "in");
    await mkdir(join(input, "folder.mp4"), { recursive: true });
    const bytes = await readFile(sample("one-face.mp4"));
    await writeFile(join(input, "zero.mp4"), "");
    await writeFile(join(input, "text.mp4"), "hello\n".repeat(1000));
    execFileSync("mkfifo", [join(input, "fifo.mp4")]);
    await writeFile(join(folder, "secret.mp4"), bytes);
    await symlink(join(folder, "secret.mp4"), join(input, "link.mp4"));
    await symlink(join(folder, "gone.mp4"), join(input, "dangling.mp4"));
    const good = ["with space.mp4", "quote'\".mp4", "new\nline.mp4", "-dash.mp4", "%03d.mp4", "concat:a|b.mp4"];
    for (const [i, name] of good.entries())
      await writeFile(join(input, name), Buffer.concat([bytes, Buffer.from([0, 0, 0, 9, 0x66, 0x72, 0x65, 0x65, i])]));
    const output = join(folder, "out");
    const { code } = await pipe(run(output, "--input", input));
    expect(code).toBe(2);
    const items = await itemsByName(output);
    for (const name of [...good, "link.mp4"])
      expect(items.get(name), name).toMatchObject({ status: "done", verdict: "complete" });
    for (const name of ["zero.mp4", "text.mp4", "fifo.mp4", "dangling.mp4"])
      expect(items.get(name), name).toMatchObject({ status: "failed", reason: expect.stringMatching(/\w+ \w+/) });
  }, 90_000);

  it("cut short at 10, 50 and 90 %: never taken for whole", async () => {
    const folder = await scratch();
    const input = join(folder, "in");
    await mkdir(input);
    const bytes = await readFile(sample("one-face.mp4"));
    for (const percent of [10, 50, 90])
      await writeFile(join(input, `${percent}.mp4`), bytes.subarray(0, (bytes.length * percent) / 100));
    const output = join(folder, "out");
    expect((await pipe(run(output, "--input", input))).code).toBe(2);
    for (const [name, item] of await itemsByName(output)) {
      expect(["failed", "partial"], name).toContain(item.status);
      expect(item.reason, name).toMatch(/\w+ \w+/);
      if (item.status === "partial") expect(item.verdict).not.toBe("complete");
    }
  }, 60_000);

  it("a playlist named .mp4 is refused: nothing it names is read, no connection is made", async () => {
    const folder = await scratch();
    let connections = 0;
    const server = createServer((_request, response) => response.end("x"));
    server.on("connection", () => {
      connections += 1;
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    try {
      const { port } = server.address() as AddressInfo;
      const list = (target: string) => `#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5.0,\n${target}\n#EXT-X-ENDLIST\n`;
      await writeFile(join(folder, "local.mp4"), list(sample("one-face.mp4")));
      await writeFile(join(folder, "remote.mp4"), list(`http://127.0.0.1:${port}/secret.ts`));
      const output = join(folder, "out");
      expect((await pipe(run(output, "--input", folder))).code).toBe(2);
      for (const [name, item] of await itemsByName(output)) expect(item.status, name).toBe("failed");
      expect(connections).toBe(0);
      expect(await published(output)).toEqual({});
    } finally {
      server.close();
    }
  }, 60_000);
});

describe.skipIf(!hasMedia)("real hostile files", () => {
  it("damaged: 28 frames, verdict damaged, partial; zero bytes refused; irregular time: 63 exact rows", async () => {
    const folder = await scratch();
    const output = join(folder, "out");
    const names = [
      "decord_corrupted.mp4",
      "moviepy_zero_length.webm",
      "mediabunny_cursed-vfr.mp4",
      "decord_video_90.mov",
    ];
    const args = run(output, "--input", ...names.map((name) => media("weird", name))).filter(
      (arg) => arg !== "--fps" && arg !== "2",
    );
    expect((await pipe(args)).code).toBe(2);
    const items = await itemsByName(output);
    const of = (name: string) => [...items].find(([key]) => key.endsWith(name))?.[1];
    expect(of("decord_corrupted.mp4")).toMatchObject({
      status: "partial",
      verdict: "damaged",
      counts: { decoded: 28 },
    });
    expect(of("moviepy_zero_length.webm")).toMatchObject({ status: "failed" });
    expect(of("mediabunny_cursed-vfr.mp4")).toMatchObject({ status: "done", counts: { decoded: 63, sampled: 63 } });
    expect(of("decord_video_90.mov")).toMatchObject({ status: "done", counts: { decoded: 3 } });
  }, 120_000);
});

describe("nothing is computed twice, nothing wrong is kept", () => {
  it("renamed and touched: cached; an option: run; a flipped bit, a cut shard, a missing marker: found and recomputed", async () => {
    const folder = await scratch();
    const input = join(folder, "in");
    const output = join(folder, "out");
    await mkdir(input);
    await copyFile(sample("one-face.mp4"), join(input, "a.mp4"));
    expect((await pipe(run(output, "--input", input))).code).toBe(0);
    const before = await published(output);

    await utimes(join(input, "a.mp4"), new Date(), new Date());
    await copyFile(join(input, "a.mp4"), join(input, "b.mp4"));
    expect((await pipe(run(output, "--input", join(input, "b.mp4")))).code).toBe(0);
    expect((await reportOf(output)).items[0]).toMatchObject({ status: "cached", source: { name: "b.mp4" } });

    const plan = await pipe([
      "plan",
      "extract-latents",
      "--preset",
      "small",
      "--fps",
      "3",
      "--output",
      output,
      "--input",
      input,
      "--json",
    ]);
    expect(plan.stdout).toMatch(/fps/);

    const z = join(output, Object.keys(before).find((name) => name.includes("/z-"))!);
    const marker = join(output, Object.keys(before).find((name) => name.endsWith("marker.json"))!);
    const intact = await readFile(z);
    const flipped = Buffer.from(intact);
    flipped[flipped.length >> 1]! ^= 4;
    const damages = [
      () => writeFile(z, flipped),
      () => writeFile(z, intact.subarray(0, intact.length >> 1)),
      () => writeFile(marker, ""),
    ];
    for (const damage of damages) {
      await damage();
      expect((await pipe(["verify", output])).code).toBe(2);
      expect((await pipe(run(output, "--input", input))).code).toBe(0);
      expect(await published(output)).toEqual(before);
      expect((await pipe(["verify", output])).code).toBe(0);
    }
  }, 120_000);
});
