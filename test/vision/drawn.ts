import sharp from "sharp";
import type { Image } from "../../src/records.ts";

/** A picture drawn from SVG shapes. */
export async function drawn(width: number, height: number, shapes: string, background = "#9fb4c8"): Promise<Image> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <rect width="100%" height="100%" fill="${background}"/>${shapes}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}

/** A simple face whose head is `2 × radius` wide, centred on (x, y). */
export function face(x: number, y: number, radius: number): string {
  const r = radius / 100;
  const eye = (side: number) => `
    <ellipse cx="${side * 38}" cy="-20" rx="19" ry="11" fill="#fff"/>
    <circle cx="${side * 38}" cy="-20" r="9" fill="#3a2a1c"/>
    <path d="M ${side * 62} -44 Q ${side * 38} -58 ${side * 14} -46" stroke="#4a3020" stroke-width="8" fill="none"/>`;
  return `<g transform="translate(${x} ${y}) scale(${r})">
    <rect x="-40" y="90" width="80" height="90" fill="#d9a982"/>
    <ellipse cx="0" cy="-25" rx="112" ry="130" fill="#3b2618"/>
    <ellipse cx="0" cy="0" rx="95" ry="125" fill="#e8b990"/>
    ${eye(-1)}${eye(1)}
    <path d="M -4 -15 Q -16 30 -18 36 Q 0 48 18 36 Q 16 30 4 -15" fill="#d39d74"/>
    <path d="M -36 68 Q 0 54 36 68 Q 0 98 -36 68" fill="#b4504a"/></g>`;
}
