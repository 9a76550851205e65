import {
  baselineRows,
  evaluate,
  type FoldPredictions,
  foldRows,
  type ResultRow,
  type ResultTable,
  resultTable,
  rowsOf,
} from "./evaluation.ts";
import { PAPER_METRICS, type PaperDataset, paperRows } from "./paper-results.ts";
import { type CleanedFaces, reconstructionTable } from "./reconstruction-table.ts";

/** A fold that was trained and tested. */
export interface TestedFold extends FoldPredictions {
  readonly reconstruction: readonly CleanedFaces[];
}

export interface FoldTablesOptions {
  /** Name of the dataset; the paper's rows stand beside ours where it is theirs. */
  readonly dataset: string;
  /** Folds of the split, finished or not. */
  readonly of: number;
  /** Rows that belong below ours, as those of the best possible predictor. */
  readonly more?: readonly ResultRow[];
}

/**
 * The tables of a training in the papers' form: `results` over all folds, `folds` one by one, `reconstruction`.
 *
 * @throws PipeError as {@link evaluate} does
 */
export function foldTables(
  folds: readonly TestedFold[],
  { dataset, of, more = [] }: FoldTablesOptions,
): { readonly name: string; readonly table: ResultTable }[] {
  const evaluation = evaluate(folds);
  const missing = of - folds.length;
  const notes = [
    "Labels in native units. Nobody in a fold's test set was trained on, or looked at to choose the checkpoint.",
    ...(missing > 0 ? [`${missing} of ${of} folds are not finished.`] : []),
  ];
  const paper = isPaper(dataset) ? dataset : null;
  const rows = [
    ...(paper ? paperRows(paper) : []),
    ...rowsOf("ANCLaF (ours)", evaluation),
    ...baselineRows(evaluation),
    ...more,
  ];
  const results = resultTable(`ANCLaF on ${dataset}`, rows, { ...(paper && { metrics: PAPER_METRICS[paper] }), notes });
  return [
    { name: "results", table: results },
    { name: "folds", table: resultTable("Fold by fold", foldRows("ANCLaF (ours)", evaluation)) },
    { name: "reconstruction", table: reconstructionTable(folds.map(({ reconstruction }) => reconstruction)) },
  ];
}

function isPaper(dataset: string): dataset is PaperDataset {
  return Object.hasOwn(PAPER_METRICS, dataset);
}
