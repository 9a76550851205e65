import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registerGradients } from "../../src/compile/gradients.ts";
import { kernels } from "../../src/compile/kernels/index.ts";
import { SessionHost } from "../../src/compile/session.ts";
import { gatherCases, reduceCases, shapeCases } from "./cases/arrays.ts";
import { binaryCases, unaryCases } from "./cases/elementwise.ts";
import { gradientCases } from "./cases/gradients.ts";
import { compositeCases, convCases, imageCases, matmulCases, normCases } from "./cases/networks.ts";
import { examine } from "./conformance.ts";

const families = {
  unary: unaryCases,
  binary: binaryCases,
  reduce: reduceCases,
  shape: shapeCases,
  gather: gatherCases,
  conv: convCases,
  image: imageCases,
  matmul: matmulCases,
  norm: normCases,
  composite: compositeCases,
  gradient: gradientCases,
};
registerGradients();

let host: SessionHost;
beforeAll(() => {
  host = new SessionHost("conformance", { threads: 1 });
});
afterAll(() => host.close());

for (const [family, cases] of Object.entries(families))
  describe(family, () => {
    for (const [i, one] of cases.entries()) test(`${one.name ?? one.kernel} (${i})`, () => examine(host, one));
  });

test("every kernel sits the exam", () => {
  const examined = new Set(Object.values(families).flatMap((cases) => cases.map((one) => one.kernel)));
  expect(Object.keys(kernels).filter((name) => !examined.has(name))).toEqual([]);
});
