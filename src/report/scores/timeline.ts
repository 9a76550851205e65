import { banner, escapeHtml, page, scriptJson } from "../page.ts";
import { lanes } from "./lanes.ts";
import { QUADRANT_NAMES, type ScoreScale } from "./row.ts";
import type { Span, TrackSeries, VideoSeries } from "./series.ts";
import { stretches } from "./stretches.ts";
import { signed } from "./subtitles.ts";
import type { ScoreSummary, TrackSummary } from "./summary.ts";
import { THUMBNAIL, type Thumbnail } from "./thumbnails.ts";
import { HOVER, STYLE } from "./timeline-parts.ts";

export interface TimelineOptions {
  /** The video's name. */
  readonly name: string;
  readonly thumbnails: readonly Thumbnail[];
  /** What a reader must know about the input, if anything: "The file ends early." */
  readonly warning?: string | undefined;
  /** Why the scores are not to be relied on, if they are not. */
  readonly caution?: string | undefined;
  /** The page that lists all videos, as this page links to it; none: there is no such link. */
  readonly index?: string | undefined;
}

/** Points drawn of one lane's series at most: more than a wide screen has pixels; a longer track's are means. */
const POINTS = 2400;
/** Rows of faces drawn, and lines of the table, at most. */
const LANES = 12;
const LINES = 200;

/**
 * One page that shows a video's scores along its time: for each row of faces valence and arousal, smoothed and, faintly,
 * raw; shot changes as lines, stretches without any scored face grey, pictures of the faces below. It needs nothing but
 * itself; hovering tells the values.
 */
export function timeline(series: VideoSeries, summary: ScoreSummary, options: TimelineOptions): string {
  const rows = lanes(series.tracks.values());
  const shown = rows.slice(0, LANES);
  const span = widened(series.span);
  const drawn = shown.map((tracks) => laneOf(tracks, series, span, options.thumbnails, summary.smoothMs > 0));
  const left = rows.slice(LANES).reduce((sum, tracks) => sum + tracks.length, 0);
  const back = options.index === undefined ? "" : `<p><a href="${escapeHtml(options.index)}">← all videos</a></p>\n`;
  const body = `${back}<h1>${escapeHtml(options.name)}</h1>
<p class="soft">${escapeHtml(summary.model)}</p>
${banner(options.caution)}${options.warning === undefined ? "" : `<p class="warning">${escapeHtml(options.warning)}</p>\n`}${cards(summary)}
<h2>Along time</h2>
<p class="legend"><i class="v"></i>valence <i class="a"></i>arousal${summary.smoothMs > 0 ? `, smoothed (Gaussian, σ ${summary.smoothMs} ms); faint: as the model said` : ""} <i class="m"></i>no scored face${series.shots.length > 1 ? ` <i class="s"></i>shot change` : ""}</p>
${drawn.length === 0 ? "<p>There is no face in it.</p>" : `<div class="scroll"><div class="inner">\n${drawn.map(({ html }) => html).join("\n")}\n${axis(span)}</div></div>`}
${left > 0 ? `<p class="soft">${left} further tracks, at times with more than ${LANES} faces at once, are not drawn.</p>\n` : ""}${table(summary)}
${drawn.length === 0 ? "" : `<script type="application/json" id="data">${scriptJson({ from: span.from / 1e3, to: span.to / 1e3, digits: 2, lanes: drawn.map(({ data }) => data) })}</script>`}`;
  return page({
    title: `${options.name}: valence and arousal`,
    body,
    style: STYLE,
    script: drawn.length > 0 ? HOVER : "",
  });
}

interface DrawnTrack {
  readonly id: number;
  /** Milliseconds, from one to the next point; null where the model says nothing. */
  readonly t: readonly number[];
  readonly v: readonly (number | null)[];
  readonly a: readonly (number | null)[];
}

function laneOf(
  tracks: readonly TrackSeries[],
  { scale, shots, missing }: VideoSeries,
  span: Span,
  thumbnails: readonly Thumbnail[],
  smooth: boolean,
): { html: string; data: DrawnTrack[] } {
  const x = (pts: number) => (1000 * (pts - span.from)) / (span.to - span.from);
  const share = (pts: number) => `${cut(x(pts) / 10, 3)}%`;
  const total = tracks.reduce((sum, { pts }) => sum + pts.length, 0);
  const points = tracks.map((track) => thinned(track, Math.max(2, Math.ceil((POINTS * track.pts.length) / total))));
  const paths = (which: "valence" | "arousal", raw: boolean): string =>
    points
      .flatMap((track) => track.map((line) => path(line, raw ? which : `${which}Smoothed`, x, scale[which])))
      .join("");
  const draw = (name: string, d: string) => (d === "" ? "" : `<path class="${name}" d="${d}"/>`);
  const ids = new Set(tracks.map(({ track }) => track));
  const pictures = thumbnails.filter(({ track }) => ids.has(track));
  const html = `<section class="lane">
<div class="marks">${tracks.map(({ track, span: own }) => `<b style="left:${share(own.from)}">#${track}</b>`).join("")}</div>
<div class="plot"><svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
${missing.map(({ from, to }) => `<rect class="m" x="${cut(x(from))}" y="0" width="${cut(Math.max(1, x(to) - x(from)))}" height="100"/>`).join("")}
<path class="grid" d="M0 50H1000M0 10H1000M0 90H1000"/>${shots
    .slice(1)
    .map(({ pts }) => `<path class="s" d="M${cut(x(pts))} 0V100"/>`)
    .join("")}
${smooth ? draw("v raw", paths("valence", true)) + draw("a raw", paths("arousal", true)) : ""}${draw("v", paths("valence", false))}${draw("a", paths("arousal", false))}
</svg><div class="ticks">${tickLabels(scale)}</div></div>
<div class="thumbs">${pictures
    .map(
      ({ track, pts, jpeg }) =>
        `<img style="left:${share(pts)}" width="${THUMBNAIL / 2}" height="${THUMBNAIL / 2}" alt="face #${track} at ${clock(pts)}" title="#${track}, ${clock(pts)}" src="data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}">`,
    )
    .join("")}</div>
</section>`;
  const data = tracks.map(({ track }, k) => {
    const all = points[k]!.flat();
    const values = (name: "valenceSmoothed" | "arousalSmoothed") =>
      all.map((point) => (Number.isNaN(point[name]) ? null : cut(point[name], 3)));
    return {
      id: track,
      t: all.map(({ pts }) => Math.round(pts / 1e3)),
      v: values("valenceSmoothed"),
      a: values("arousalSmoothed"),
    };
  });
  return { html, data };
}

const DIMENSIONS = ["valence", "arousal", "valenceSmoothed", "arousalSmoothed"] as const;
type Point = Readonly<Record<(typeof DIMENSIONS)[number] | "pts", number>>;

/** A track's points, one line for each stretch without holes; more than `most` are put together as means. */
function thinned(track: TrackSeries, most: number): Point[][] {
  const size = Math.max(1, Math.ceil(track.pts.length / most));
  return stretches(track.pts.values).map(({ first, last }) => {
    const line: Point[] = [];
    for (let from = first; from <= last; from += size) {
      const to = Math.min(last + 1, from + size);
      const mean = (values: ArrayLike<number>) => {
        let sum = 0;
        for (let i = from; i < to; i++) sum += values[i]!;
        return sum / (to - from);
      };
      const entries = (["pts", ...DIMENSIONS] as const).map((name) => [name, mean(track[name].values)]);
      line.push(Object.fromEntries(entries) as Point);
    }
    return line;
  });
}

/** The top of the scale lies at 10, its bottom at 90: what lies outside is still seen. */
function path(
  line: readonly Point[],
  name: (typeof DIMENSIONS)[number],
  x: (pts: number) => number,
  [low, high]: readonly [number, number],
): string {
  if (line.length === 0 || Number.isNaN(line[0]![name])) return "";
  const y = (value: number) => Math.min(100, Math.max(0, 90 - (80 * (value - low)) / (high - low)));
  const points = line.map((point) => `${cut(x(point.pts))} ${cut(y(point[name]))}`);
  // A lone point has no length; round caps make it a dot.
  return `M${points.join("L")}${points.length === 1 ? "h0.01" : ""}`;
}

function tickLabels(scale: ScoreScale): string {
  const { valence, arousal } = scale;
  const label = (share: number) => {
    const at = ([low, high]: readonly [number, number]) =>
      signed(low + share * (high - low), [low, high]).replace(/\.0+$/, "");
    const [v, a] = [at(valence), at(arousal)];
    return v === a ? v : `${v} | ${a}`;
  };
  return [1, 0.5, 0].map((share) => `<span style="top:${90 - 80 * share}%">${label(share)}</span>`).join("");
}

function axis(span: Span): string {
  const step = stepOf((span.to - span.from) / 1e6);
  const first = Math.ceil(span.from / 1e6 / step) * step;
  const marks: string[] = [];
  for (let at = first; at * 1e6 <= span.to; at = Math.round((at + step) * 1e3) / 1e3) {
    const left = cut((100 * (at * 1e6 - span.from)) / (span.to - span.from), 3);
    marks.push(`<span style="left:${left}%">${clock(at * 1e6)}</span>`);
  }
  return `<div class="axis">${marks.join("")}</div>`;
}

/** A round time between marks, so that there are up to ten. */
function stepOf(seconds: number): number {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  return steps.find((step) => seconds / step <= 10) ?? 14_400;
}

function cards({ video, tracks, scale }: ScoreSummary): string {
  const mean = (spread: { mean: number; sd: number } | null, of: readonly [number, number]) =>
    spread === null
      ? "–"
      : `${signed(spread.mean, of)} <small>± ${spread.sd.toFixed(of[1] - of[0] > 4 ? 1 : 2)}</small>`;
  const shares = Object.entries(video.quadrants ?? {});
  const card = (value: string, name: string) => `<div><b>${value}</b><span>${name}</span></div>`;
  return `<div class="cards">${[
    card(clock(video.seconds * 1e6), `${video.frames} frames`),
    card(String(tracks.length), tracks.length === 1 ? "face track" : "face tracks"),
    card(percent(video.coverage), "of frames with a scored face"),
    card(mean(video.valence, scale.valence), "valence, mean ± sd"),
    card(mean(video.arousal, scale.arousal), "arousal, mean ± sd"),
    ...(shares.length > 0
      ? [card(shares.map(([name, of]) => `<span>${name} ${percent(of)}</span>`).join(" "), "share of scored faces")]
      : []),
  ].join("")}</div>`;
}

function table({ tracks, scale }: ScoreSummary): string {
  if (tracks.length === 0) return "";
  const longest = [...tracks].sort((a, b) => b.scored - a.scored || a.track - b.track).slice(0, LINES);
  const rows = longest.sort((a, b) => a.track - b.track).map((track) => line(track, scale));
  const most = tracks.length > LINES ? `<p class="soft">The ${LINES} longest of ${tracks.length}.</p>` : "";
  return `<h2>Tracks</h2>${most}
<div class="wide"><table><thead><tr><th class="n">track</th><th class="n">shot</th><th class="n">from</th><th class="n">to</th><th class="n">scored</th><th class="n">valence</th><th class="n">arousal</th>${QUADRANT_NAMES.map((name) => `<th class="n">${name}</th>`).join("")}<th class="n">face, px</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table></div>`;
}

function line(track: TrackSummary, scale: ScoreScale): string {
  const spread = (name: "valence" | "arousal") => {
    const value = track[name];
    return value === null ? "–" : `${signed(value.mean, scale[name])} ± ${value.sd.toFixed(2)}`;
  };
  const cells = [
    `#${track.track}`,
    String(track.shot),
    clock(track.from * 1e6),
    clock(track.to * 1e6),
    `${track.scored} of ${track.rows}`,
    spread("valence"),
    spread("arousal"),
    ...QUADRANT_NAMES.map((name) => (track.quadrants === null ? "–" : percent(track.quadrants[name]!))),
    track.faceSize === null ? "–" : track.faceSize.toFixed(0),
  ];
  return `<tr>${cells.map((cell) => `<td class="n">${cell}</td>`).join("")}</tr>`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const cut = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** A video of one frame still has a width. */
function widened(span: Span | null): Span {
  const { from, to } = span ?? { from: 0, to: 0 };
  return to > from ? { from, to } : { from, to: from + 1e6 };
}

/** 0:07.2, 12:05, 1:02:03; tenths where they tell something. */
export function clock(micros: number): string {
  const tenths = Math.round(micros / 1e5);
  const seconds = Math.floor(tenths / 10);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  const two = (n: number) => String(n).padStart(2, "0");
  if (hours > 0) return `${hours}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}${tenths % 10 === 0 ? "" : `.${tenths % 10}`}`;
}
