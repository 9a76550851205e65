import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MODEL } from "../../src/datasets/synth/affect-model.ts";
import { type FaceClipTruth, TRUTH_FILE } from "../../src/datasets/synth/faces-truth.ts";
import { meanLabel, windowOracle } from "../../src/datasets/synth/oracle.ts";
import { yardsticksOf } from "../../src/datasets/yardsticks.ts";
import { seeded } from "../../src/random.ts";
import { temporary } from "../pipelines/temporary.ts";

const FRAMES = 7;

function truth(clip: string): FaceClipTruth {
  const random = seeded(clip);
  const values = () => Array.from({ length: FRAMES }, () => random.normal());
  const track = () => ({ label: values(), level: values(), carrier: values() });
  return {
    ...{ clip, actor: "1", rate: 50, valence: track(), arousal: track(), blink: values() },
    ...{ yaw: values(), pitch: values(), roll: values(), occluders: [], covered: new Array(FRAMES).fill(0) },
    light: { level: 1, colour: [1, 1, 1], direction: 0, slope: 0, flicker: 0 },
    compression: 1,
  };
}

test("the best from so many frames is of the frames up to a face, wherever windows begin; none where there are fewer", async () => {
  const data = await temporary();
  const clips = [truth("001"), truth("002")];
  await writeFile(join(data, TRUTH_FILE), clips.map((clip) => `${JSON.stringify(clip)}\n`).join(""));
  const range = { valence: [-10, 10], arousal: [0, 4] } as const;
  const faces = clips.flatMap(({ clip }) => Array.from({ length: FRAMES }, (_, frame) => ({ clip, frame })));
  const beside = await yardsticksOf({ dataset: "afew-va", data, range, faces, note: () => {} });
  expect([beside.drawn, beside.plantedMilliseconds]).toEqual([true, 160]);
  for (const frames of [1, 2, 5, FRAMES]) {
    const best = beside.seenOracle!(frames);
    for (const face of faces) {
      if (face.frame + 1 < frames) {
        expect(best(face)).toBeNull();
        continue;
      }
      const said = (dimension: "valence" | "arousal") => {
        const { level, carrier } = clips.find(({ clip }) => clip === face.clip)![dimension];
        const oracle = windowOracle(MODEL[dimension], frames, 50);
        let mean = 0;
        for (let i = 0; i < frames; i++) {
          const at = face.frame - frames + 1 + i;
          mean += oracle.level[i]! * level[at]! + oracle.carrier[i]! * carrier[at]!;
        }
        return meanLabel(mean, oracle.open);
      };
      const { valence, arousal } = best(face)!;
      expect(valence).toBeCloseTo(10 * said("valence"), 10);
      expect(arousal).toBeCloseTo(2 + 2 * said("arousal"), 10);
    }
  }
});

test("of data that was not drawn nobody knows", async () => {
  const range = { valence: [-1, 1], arousal: [-1, 1] } as const;
  const about = { dataset: "sewa", data: undefined, range, faces: [], note: () => {} };
  expect(await yardsticksOf(about)).toMatchObject({
    drawn: false,
    oracle: null,
    seenOracle: null,
    plantedMilliseconds: null,
  });
});
