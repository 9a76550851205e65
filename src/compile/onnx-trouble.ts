import { onnxVersions } from "./onnx-versions.ts";

/** What to do about a model that ONNX Runtime refuses, by the file's first bytes and ONNX Runtime's reason. */
export function adviceFor(file: Uint8Array, reason: string): string {
  const head = new TextDecoder("latin1").decode(file.subarray(0, 64));
  if (file.length === 0) return "The file is empty.";
  if (head.startsWith("version https://git-lfs"))
    return "It is a Git LFS pointer, not the model itself: get the model with git lfs pull.";
  if (head.startsWith("PK"))
    return "It is a zip archive, as PyTorch's checkpoints are: make an .onnx file of the network with torch.onnx.export.";
  if (/^\s*<(!doctype|html)/i.test(head)) return "It is a web page, not a model: download the file itself.";
  const versions = onnxVersions(file);
  if (!versions) return "It is no ONNX file, or is cut short.";
  const sets = Object.entries(versions.opsets).map(([domain, version]) => `${domain || "opset"} ${version}`);
  const written = `The file has IR version ${versions.ir} and ${sets.join(", ")}.`;
  if (/IR version|under development|till opset|is till/i.test(reason))
    return `${written} Where that is newer than the ONNX Runtime here knows, export it again with an older operator set.`;
  if (/No Op registered|not a registered function/i.test(reason))
    return `${written} ONNX Runtime has no such operator: a custom one cannot be loaded here, and one newer than the file's operator set needs a newer export.`;
  if (/Could not find an implementation|NOT_IMPLEMENTED/i.test(reason))
    return `${written} ONNX Runtime knows the operator, but not for these types on this provider: export the model as float32.`;
  if (/Unsupported data type|Type Error/i.test(reason))
    return `${written} Export it with inputs and outputs of float32, float16 or uint8.`;
  return `${written} Check it with onnx.checker.check_model, and export it again.`;
}
