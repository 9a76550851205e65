/**
 * Why the numbers of a model that never saw a real face are not to be relied on; null for any other.
 *
 * @param name as people know the model
 * @param trainedOn what its file says that it was trained on
 * @param encoder the same of the frame model whose latents it reads, where it reads some
 */
export function drawnCaution(name: string, trainedOn?: string, encoder?: string): string | null {
  if (isDrawn(trainedOn))
    return `These numbers measure nobody. ${name} has seen drawn faces alone; what it says of real people is for trials only.`;
  if (!isDrawn(encoder)) return null;
  return `Do not rely on these numbers yet. ${name} reads faces through a frame model that has seen drawn faces alone; first measure it on real people whom it was not trained on.`;
}

/** Trainings on what `pipe synth` draws note "synthetic faces". */
const isDrawn = (trainedOn: string | undefined): boolean => trainedOn?.startsWith("synthetic") ?? false;
