/**
 * What `crop-faces` finds, against YuNet: recall by face height, rows on no face, frames a second.
 *
 *     npx tsx bench/detect.ts [frames of each video, default 24] [options as JSON …]
 *
 * Truth is YuNet (../shared/media/models) at score .8 and above. Of real videos and photos the first frames are taken; of
 * composites (real frames made small, on drawn 1080p backgrounds) truth is that of the frame before it was made small. A
 * row is false where YuNet, from .3 on, has nothing that overlaps it. Frames without a face: black, noise, rings, text.
 * What it does not show: what YuNet itself misses or invents, other faces than those of these files, quiet rates on a busy machine.
 */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { readImage } from "../src/media/images.ts";
import { decode } from "../src/media/index.ts";
import { seeded } from "../src/random.ts";
import type { Box, Crop, Image } from "../src/records.ts";
import { looseContext } from "../src/stages/context.ts";
import cropFaces from "../src/stages/crop-faces.ts";
import { iou } from "../src/vision/boxes.ts";
import { detect } from "../src/vision/detector.ts";
import { openYuNet } from "../src/vision/yunet.ts";

const media = (path: string) => fileURLToPath(new URL(`../../shared/media/${path}`, import.meta.url));
const frames = Number(process.argv[2] ?? 24);
const variants = process.argv.length > 3 ? process.argv.slice(3) : ['{"detect":"whole","minPresence":0}', "{}"];
const BINS = [0, 24, 32, 48, 64, 96, Number.POSITIVE_INFINITY];

interface Face {
  readonly box: Box;
  readonly score: number;
}
interface Clip {
  readonly name: string;
  readonly images: readonly Image[];
  readonly truth: readonly (readonly Face[])[];
}

const yunet = await openYuNet(media("models/yunet_n_dynamic.onnx"), { floor: 0.3 });
const truthOf = async (images: readonly Image[]) => {
  const found: Face[][] = [];
  for (const image of images) found.push((await detect(yunet, [image]))[0]!);
  return found;
};
const clips: Clip[] = [];
for (const folder of ["videos", "weird"])
  for (const name of readdirSync(media(folder))) {
    if (/\.jpg$|zero_length/.test(name)) continue;
    const images: Image[] = [];
    for await (const { image } of decode(media(`${folder}/${name}`))) {
      images.push({ ...image, data: image.data.slice() });
      if (images.length === frames) break;
    }
    clips.push({ name, images, truth: await truthOf(images) });
  }
const human = fileURLToPath(new URL("../node_modules/@vladmandic/human/assets", import.meta.url));
for (const folder of [media("images"), human].filter(existsSync))
  for (const name of readdirSync(folder).filter((file) => /\.jpe?g$/.test(file))) {
    const images = [await readImage(`${folder}/${name}`)];
    clips.push({ name, images, truth: await truthOf(images) });
  }
const sources = clips.filter(({ name }) => /pyfeat|portrait|carphone|two_faces/.test(name));
for (const side of [20, 26, 30, 36, 44, 56, 80, 128])
  for (const source of sources) clips.push(await smaller(source, side));
for (const [name, image] of await empty()) clips.push({ name: `empty: ${name}`, images: [image], truth: [[]] });

console.log(
  `| ${["options", "share of faces found: < 24 px", "24", "32", "48", "64", "≥ 96", "false `ok` rows", "frames/s"].join(" | ")} |`,
);
console.log("|---|---|---|---|---|---|---|---|---|");
for (const variant of variants) {
  const options = JSON.parse(variant);
  const found = BINS.map(() => 0);
  const all = BINS.map(() => 0);
  let [rows, wrong, count, ms] = [0, 0, 0, 0];
  for (const { name, images, truth } of clips) {
    await using context = looseContext();
    const crops: Crop[] = [];
    const run = async function* () {
      for (const [index, image] of images.entries()) {
        const own = { ...image, data: image.data.slice() };
        yield { kind: "frame" as const, index, pts: index * 40_000, image: own };
      }
    };
    const start = performance.now();
    for await (const crop of cropFaces(options).run(context)(run())) if (crop.status === "ok") crops.push(crop);
    ms += performance.now() - start;
    count += images.length;
    let [missed, false1] = [0, 0];
    images.forEach((_, i) => {
      const ok = crops.filter(({ index }) => index === i);
      for (const face of truth[i]!.filter(({ score }) => score >= 0.8)) {
        const bin = BINS.findIndex((from, k) => side(face.box) >= from && side(face.box) < BINS[k + 1]!);
        const hit = ok.some(({ box }) => matches(box!, face.box));
        all[bin]! += 1;
        if (hit) found[bin]! += 1;
        else missed += 1;
      }
      false1 += ok.filter(({ box }) => !truth[i]!.some((face) => iou(face.box, box!) > 0.1)).length;
      rows += ok.length;
    });
    wrong += false1;
    if (process.env.EACH) console.error(`${variant} ${name}: ${crops.length} ok, ${missed} missed, ${false1} false`);
  }
  const shares = BINS.slice(0, -1).map((_, i) => `${found[i]}/${all[i]} ${((100 * found[i]!) / all[i]!).toFixed(1)} %`);
  const falsely = `${wrong}/${rows} ${((100 * wrong) / rows).toFixed(1)} %`;
  console.log(`| \`${variant}\` | ${shares.join(" | ")} | ${falsely} | ${((1000 * count) / ms).toFixed(1)} |`);
}
await yunet[Symbol.asyncDispose]();

function side({ width, height }: Box): number {
  return Math.min(width, height);
}

/** The centre of one lies in the middle half of the other, and their sides differ by less than two. */
function matches(a: Box, b: Box): boolean {
  const near = (from: number, length: number, of: number, whole: number) =>
    Math.abs(from + length / 2 - of - whole / 2) < whole / 2;
  const ratio = side(a) / side(b);
  return near(a.x, a.width, b.x, b.width) && near(a.y, a.height, b.y, b.height) && ratio > 0.5 && ratio < 2;
}

/** Its frames on a drawn 1080p background, so small that the largest face of the first has that shorter side. */
async function smaller({ name, images, truth }: Clip, wanted: number): Promise<Clip> {
  const scale = wanted / Math.max(...truth[0]!.map(({ box }) => side(box)));
  const [left, top] = [700, 400];
  const made: Image[] = [];
  for (const { width, height, data } of images.slice(0, 6)) {
    const small = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(Math.round(width * scale), Math.round(height * scale), { fit: "fill" })
      .png()
      .toBuffer();
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1920" height="1080"><defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#345"/><stop offset="1" stop-color="#cba"/></linearGradient></defs><rect width="1920" height="1080" fill="url(#g)"/><circle cx="300" cy="300" r="120" fill="#222"/><circle cx="300" cy="300" r="30" fill="#999"/></svg>`;
    const raw = await sharp(Buffer.from(svg))
      .composite([{ input: small, left, top }])
      .removeAlpha()
      .raw()
      .toBuffer();
    made.push({ width: 1920, height: 1080, data: new Uint8Array(raw) });
  }
  const moved = ({ box, score }: Face): Face => ({
    score,
    box: { x: left + box.x * scale, y: top + box.y * scale, width: box.width * scale, height: box.height * scale },
  });
  return { name: `${name} at ${wanted} px`, images: made, truth: made.map((_, i) => truth[i]!.map(moved)) };
}

async function empty(): Promise<[name: string, Image][]> {
  const drawn = async (shapes: string): Promise<Image> => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720"><rect width="1280" height="720" fill="#111"/>${shapes}</svg>`;
    const raw = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
    return { width: 1280, height: 720, data: new Uint8Array(raw) };
  };
  const random = seeded(1);
  const noise = Uint8Array.from({ length: 1280 * 720 * 3 }, () => Math.floor(random.next() * 256));
  const plates = Array.from({ length: 40 }, (_, i) => {
    const [x, y, r] = [100 + (i % 8) * 150, 80 + Math.floor(i / 8) * 140, 20 + (i % 6) * 9];
    return [
      [1, "#444"],
      [0.75, "#666"],
      [0.3, "#ccc"],
      [0.12, "#111"],
    ].map(([share, fill]) => `<circle cx="${x}" cy="${y}" r="${r * Number(share)}" fill="${fill}"/>`);
  });
  const text = Array.from({ length: 12 }, (_, i) => {
    const words = "THE QUICK BROWN FOX o8oB 0oO.";
    return `<text x="40" y="${60 + i * 54}" font-size="${16 + i * 4}" fill="#eee">${words}</text>`;
  });
  const drum = `<ellipse cx="640" cy="320" rx="110" ry="120" fill="#e8d8c0"/><circle cx="600" cy="290" r="14" fill="#333"/><circle cx="680" cy="290" r="14" fill="#333"/>`;
  return [
    ["black", await drawn("")],
    ["noise", { width: 1280, height: 720, data: noise }],
    ["rings", await drawn(plates.flat().join(""))],
    ["text", await drawn(text.join(""))],
    ["a drum", await drawn(drum)],
  ];
}
