import {
  AV_FRAME_FLAG_INTERLACED,
  AV_PIX_FMT_GBRP16LE,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUV444P16LE,
  AVCOL_PRI_BT709,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_TRC_BT709,
  type AVPixelFormat,
} from "node-av/constants";
import { avGetPixFmtName, FFmpegError, Frame, SoftwareScaleContext } from "node-av/lib";
import type { Image } from "../records.ts";
import { type ColourPlan, planColour, toSdr } from "./colour.ts";
import { isRgb, MATRIX_NAMES, PRIMARIES_NAMES, TRANSFER_NAMES } from "./colour-names.ts";
import { type Orientation, turn } from "./geometry.ts";
import type { Size } from "./images.ts";

/**
 * Frames of any size, pixel format and colours → SDR RGB of one size, turned upright, by {@link planColour}. swscale scales
 * bicubically where the size differs.
 */
export class Converter implements Disposable {
  /** See {@link ColourPlan.warnings}, of all frames converted. */
  readonly warnings = new Set<string>();
  readonly #size: Size;
  readonly #orientation: Orientation;
  #tags = "";
  #plan: ColourPlan | undefined;
  #rgb = false;
  #scaler: SoftwareScaleContext | undefined;
  #scaled: Frame | undefined;
  #unturned: Uint8Array | undefined;

  constructor(size: Size, orientation: Orientation) {
    this.#size = size;
    this.#orientation = orientation;
  }

  /** `room` gives the memory for the pixels. */
  convert(frame: Frame, room: (bytes: number) => Uint8Array): Image {
    // Both fields go into one picture; swscale refuses to mix interlaced input with progressive output.
    frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
    const plan = this.#planFor(frame);
    const scaled = this.#scaled!;
    if (plan.map) {
      // Only sizes and depths are changed here: with equal tags on both sides swscale leaves colours alone.
      frame.colorSpace = this.#rgb ? AVCOL_SPC_RGB : AVCOL_SPC_BT709;
      frame.colorPrimaries = AVCOL_PRI_BT709;
      frame.colorTrc = AVCOL_TRC_BT709;
      scaled.colorSpace = frame.colorSpace;
      scaled.colorRange = frame.colorRange;
    } else if (plan.matrix !== undefined)
      frame.colorSpace = plan.matrix === "bt709" ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    // Where they differ swscale builds large tables first, and its result is not that of older versions.
    scaled.colorPrimaries = frame.colorPrimaries;
    scaled.colorTrc = frame.colorTrc;
    FFmpegError.throwIfError(this.#scaler!.scaleFrameSync(scaled, frame), "sws_scale_frame");
    const { width, height } = this.#size;
    const data = room(width * height * 3);
    if (!plan.map) return turn(scaled.data![0]!, scaled.linesize[0]!, this.#size, this.#orientation, data);
    const { swap, flipX, flipY } = this.#orientation;
    const turned = swap || flipX || flipY;
    this.#unturned ??= turned ? new Uint8Array(width * height * 3) : undefined;
    const rgb = this.#unturned ?? data;
    const [a, b, c] = scaled.data!.map(
      (plane) => new Uint16Array(plane.buffer, plane.byteOffset, plane.byteLength >> 1),
    );
    const [i, j, k] = scaled.linesize.map((bytes) => bytes >> 1);
    toSdr([a!, b!, c!], [i!, j!, k!], this.#size, plan.map, rgb);
    return rgb === data ? { ...this.#size, data } : turn(rgb, width * 3, this.#size, this.#orientation, data);
  }

  #planFor(frame: Frame): ColourPlan {
    const { colorSpace, colorPrimaries, colorTrc, colorRange, format, width, height } = frame;
    const tags = [colorSpace, colorPrimaries, colorTrc, colorRange, format, width, height].join();
    if (this.#plan && tags === this.#tags) return this.#plan;
    this.#tags = tags;
    const name = avGetPixFmtName(format as AVPixelFormat) ?? "";
    this.#rgb = isRgb(name);
    const plan = planColour({
      matrix: MATRIX_NAMES[colorSpace] ?? "unknown",
      transfer: TRANSFER_NAMES[colorTrc] ?? "unknown",
      primaries: PRIMARIES_NAMES[colorPrimaries] ?? "unknown",
      full: colorRange === AVCOL_RANGE_JPEG || name.startsWith("yuvj"),
      rgb: this.#rgb,
      width,
      height,
    });
    for (const warning of plan.warnings) this.warnings.add(warning);
    this.#close();
    this.#scaler = new SoftwareScaleContext();
    this.#scaler.allocContext();
    this.#scaled = new Frame();
    this.#scaled.alloc();
    this.#scaled.format = plan.map ? (this.#rgb ? AV_PIX_FMT_GBRP16LE : AV_PIX_FMT_YUV444P16LE) : AV_PIX_FMT_RGB24;
    this.#scaled.width = this.#size.width;
    this.#scaled.height = this.#size.height;
    FFmpegError.throwIfError(this.#scaled.getBuffer(), "getBuffer");
    this.#plan = plan;
    return plan;
  }

  #close(): void {
    this.#scaled?.free();
    this.#scaler?.freeContext();
    this.#scaled = undefined;
    this.#scaler = undefined;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
