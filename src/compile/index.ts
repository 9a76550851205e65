export { compile } from "./compile.ts";
export { composite } from "./composite.ts";
export type { Arithmetic, Formula } from "./formula.ts";
export { registerGradients } from "./gradients.ts";
export { type GraphModelOptions, type LoadedGraphModel, loadGraphModel } from "./graph-model.ts";
export { type OpenOptions, openOnnx } from "./open-onnx.ts";
export { compileSteps } from "./steps.ts";
export type { StepProgram, StepRunOptions, Steps, StepsOptions } from "./steps-types.ts";
export {
  type Compiled,
  type CompileOptions,
  ENGINES,
  type Engine,
  type OnnxModel,
  PROVIDERS,
  type Program,
  type Provider,
  type Value,
} from "./types.ts";
export { inTensors, type Update } from "./update.ts";
