import { AV_FRAME_FLAG_INTERLACED, AV_PIX_FMT_RGB24 } from "node-av/constants";
import { FFmpegError, Frame, SoftwareScaleContext } from "node-av/lib";
import type { Image } from "../records.ts";
import { type Orientation, turn } from "./geometry.ts";
import type { Size } from "./images.ts";

/**
 * Frames of any size, pixel format, colour matrix and range → RGB of one size, turned upright. swscale takes matrix and range
 * from each frame (BT.601 where the frame does not say) and scales bicubically where the size differs.
 */
export class Converter implements Disposable {
  readonly #size: Size;
  readonly #orientation: Orientation;
  readonly #scaler = new SoftwareScaleContext();
  readonly #rgb = new Frame();

  constructor(size: Size, orientation: Orientation) {
    this.#size = size;
    this.#orientation = orientation;
    this.#scaler.allocContext();
    this.#rgb.alloc();
    this.#rgb.format = AV_PIX_FMT_RGB24;
    this.#rgb.width = size.width;
    this.#rgb.height = size.height;
    FFmpegError.throwIfError(this.#rgb.getBuffer(), "getBuffer");
  }

  /** `room` gives the memory for the pixels. */
  convert(frame: Frame, room: (bytes: number) => Uint8Array): Image {
    // Both fields go into one picture; swscale refuses to mix interlaced input with progressive output.
    frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
    FFmpegError.throwIfError(this.#scaler.scaleFrameSync(this.#rgb, frame), "sws_scale_frame");
    const { width, height } = this.#size;
    const data = room(width * height * 3);
    return turn(this.#rgb.data![0]!, this.#rgb.linesize[0]!, this.#size, this.#orientation, data);
  }

  [Symbol.dispose](): void {
    this.#rgb.free();
    this.#scaler.freeContext();
  }
}
