import type { TensorInfo } from "@tensorflow/tfjs-core";
import { binary } from "./binary.ts";
import type { Call } from "./define.ts";
import { unary } from "./unary.ts";

const NAMES: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
};

/** The activation that a fused kernel ends with. Fused kernels name it in lower case. */
export function activate(call: Call, x: TensorInfo): TensorInfo {
  const { activation = "linear", leakyreluAlpha } = call.attrs;
  if (activation === "linear") return x;
  if (activation === "prelu")
    return binary.Prelu!({ ...call, inputs: { x, alpha: call.inputs.preluActivationWeights! } }) as TensorInfo;
  const kernel = unary[NAMES[activation] ?? ""];
  if (!kernel) throw new Error(`there is no activation "${activation}"`);
  return kernel({ ...call, inputs: { x }, attrs: { alpha: leakyreluAlpha } }) as TensorInfo;
}
