import { type ActorMark, type ClipScript, steady, unsteady } from "./clip.ts";

/** The clips in data/samples. */
export const SAMPLES: readonly ClipScript[] = [
  {
    name: "one-face",
    seed: 1,
    width: 320,
    height: 240,
    times: steady(25, 100),
    shots: [
      {
        start: 0,
        background: "study",
        actors: [{ identity: "ada", path: [mark(0, 150, 118, 104), mark(2, 172, 124, 112), mark(4, 158, 116, 104)] }],
      },
    ],
  },
  {
    name: "two-faces",
    seed: 2,
    width: 480,
    height: 360,
    times: steady(25, 100),
    shots: [
      {
        start: 0,
        background: "hill",
        actors: [
          { identity: "ben", path: [mark(0, 96, 96, 74), mark(4, 380, 92, 74)] },
          { identity: "cleo", path: [mark(0, 344, 236, 118), mark(4, 140, 236, 126)] },
        ],
      },
    ],
  },
  {
    name: "cuts-and-gaps",
    seed: 3,
    width: 320,
    height: 240,
    times: steady(25, 125),
    shots: [
      {
        start: 0,
        background: "wall",
        actors: [{ identity: "dora", path: [mark(0, 120, 110, 56), mark(1.6, 150, 112, 62)], until: 1_600_000 }],
      },
      { start: 2_600_000, background: "night", actors: [{ identity: "emil", path: [mark(2.6, 158, 118, 132)] }] },
      {
        start: 3_800_000,
        background: "garden",
        actors: [
          { identity: "dora", path: [mark(3.8, 92, 118, 84)] },
          { identity: "finn", path: [mark(3.8, 230, 122, 88), mark(5, 222, 120, 92)] },
        ],
      },
    ],
  },
  {
    name: "unsteady-time",
    seed: 4,
    width: 360,
    height: 270,
    times: unsteady(4, 75),
    shots: [
      {
        start: 0,
        background: "lamp",
        actors: [{ identity: "gus", path: [mark(0, 170, 130, 120), mark(3, 192, 136, 100)] }],
      },
    ],
  },
  {
    name: "fifty-a-second",
    seed: 5,
    width: 320,
    height: 240,
    times: steady(50, 150),
    shots: [
      {
        start: 0,
        background: "desk",
        actors: [{ identity: "hana", path: [mark(0, 166, 118, 96), mark(3, 150, 116, 108)] }],
      },
    ],
  },
];

function mark(seconds: number, x: number, y: number, width: number): ActorMark {
  return { at: seconds * 1e6, x, y, width };
}
