export { compile } from "./compile.ts";
export { composite } from "./composite.ts";
export { type GraphModelOptions, type LoadedGraphModel, loadGraphModel } from "./graph-model.ts";
export { type OpenOptions, openOnnx } from "./open-onnx.ts";
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
