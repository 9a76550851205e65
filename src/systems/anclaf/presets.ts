/** Sizes of ANCLaF's generator, discriminator and combiner. */
export interface AnclafSizes {
  /** Side of the square RGB image that the networks see, pixels: a power of two. */
  readonly image: number;
  /** Side of the faces that are given, where it is not `image` but a multiple of it: they are averaged down. */
  readonly input?: number;
  /** Channels after the generator's first convolution; Z has 4 × as many, on a grid of image / 4. */
  readonly generator: number;
  /** Channels after the discriminator's first convolution; they double at each of the following. */
  readonly discriminator: number;
  /** The discriminator's halving convolutions: its last feature is image / 2^depth square. */
  readonly depth: number;
  /** Channels after the combiner's first convolution; they double at each of the following, down to one pixel. */
  readonly combiner: number;
}

export const ANCLAF_PRESETS = ["paper", "small"] as const;
export type AnclafPreset = (typeof ANCLAF_PRESETS)[number];

/** V and A each above or below the middle of their range. */
export const QUADRANTS = 4;

export const presets: Record<AnclafPreset, AnclafSizes> = {
  /**
   * 456,864 + 2,808,048 + 11,214,786 parameters; Z 64×32×32; D's last feature 512×2×2; C's feature 1024; 634 MMAC an
   * image up to ZQ, 51 more for C.
   */
  paper: { image: 128, generator: 16, discriminator: 16, depth: 6, combiner: 64 },
  /**
   * The same parts at half the resolution, D and C one convolution shorter, C at half the width: Z 64×16×16; D's last
   * feature 256×2×2; C's 256. Widths below 16 would save nothing: they leave vector units idle (measured).
   */
  small: { input: 128, image: 64, generator: 16, discriminator: 16, depth: 5, combiner: 32 },
};

/** Side of the faces that the networks are given, pixels. */
export const inputSide = ({ input, image }: AnclafSizes): number => input ?? image;

/** How the first stage is trained. */
export interface Stage1Settings {
  /** Images in a batch. */
  readonly batch: number;
  /** Of Adam, for all parts; betas are 0.5 and 0.999. */
  readonly learningRate: number;
  /** Whether the rate stays, or falls to 0 along half a cosine over the whole training. */
  readonly schedule: "constant" | "cosine";
  /** Updates of D for one of G and C. */
  readonly critics: number;
}

export const stage1Presets: Record<AnclafPreset, Stage1Settings> = {
  paper: { batch: 300, learningRate: 1e-4, schedule: "constant", critics: 5 },
  /** A batch for a few cores; a higher rate that falls, for a run of thousands of iterations instead of a million. */
  small: { batch: 16, learningRate: 4e-4, schedule: "cosine", critics: 5 },
};

/** How Q is joined to Z: four planes of probabilities, one plane of the likeliest id (0..3), or not at all. */
export const ZQ_FORMS = ["onehot", "index", "none"] as const;
export type ZqForm = (typeof ZQ_FORMS)[number];

/**
 * What the sequence combiner attends with: nothing (C-S); scores of its former states by themselves, as the paper's
 * (C-SA); or Luong's `concat`, whose scores depend on the query too.
 */
export const SEQUENCE_ATTENTIONS = ["none", "location", "concat"] as const;
export type SequenceAttention = (typeof SEQUENCE_ATTENTIONS)[number];

/** What a sequence combiner's encoder begins as. */
export const ENCODER_STARTS = ["fresh", "frame"] as const;
export type EncoderStart = (typeof ENCODER_STARTS)[number];

/** Shape of ZQ for one image, channel-first: [channels, height, width]. */
export function zqShape(sizes: AnclafSizes, form: ZqForm): [number, number, number] {
  const planes = { onehot: QUADRANTS, index: 1, none: 0 }[form];
  return [sizes.generator * 4 + planes, sizes.image / 4, sizes.image / 4];
}
