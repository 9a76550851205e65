/** What the timeline's page looks like, beside the shell's own style. */
export const STYLE = `
.warning { border-left: 4px solid var(--warn); padding: 0.3rem 0.7rem; background: var(--raised); }
.cards { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0.8rem 0; }
.cards > div { background: var(--raised); border-radius: 6px; padding: 0.45rem 0.8rem; }
.cards b { display: block; font-size: 1.05rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.cards b span { margin-right: 0.5rem; white-space: nowrap; }
.cards small { font-weight: 400; color: var(--soft); }
.cards > div > span { color: var(--soft); font-size: 0.85rem; }
.legend { max-width: none; color: var(--soft); font-size: 0.88rem; }
.legend i { display: inline-block; width: 1.3rem; height: 0; margin: 0 0.3rem 0.25rem 0.7rem; border-top: 3px solid; }
.legend i:first-child { margin-left: 0; }
i.v { color: var(--c1); } i.a { color: var(--c2); }
.legend i.s { border-top: 0; border-left: 2px dashed var(--soft); width: 0; height: 0.9rem; margin-bottom: -0.1rem; }
.legend i.m { border: 0; height: 0.8rem; margin-bottom: -0.05rem; background: var(--line); }
.scroll { overflow-x: auto; overflow-y: hidden; }
.inner { width: calc(100% * var(--zoom, 1)); position: relative; padding-bottom: 0.2rem; }
.lane { margin-bottom: 0.9rem; }
.plot { position: relative; height: 170px; background: var(--raised); border-radius: 4px; touch-action: pan-x pan-y; }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.plot path { fill: none; vector-effect: non-scaling-stroke; stroke-linecap: round; stroke-linejoin: round; }
.plot .grid { stroke: var(--line); stroke-width: 1; }
.plot .s { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; }
.plot .v { stroke: var(--c1); stroke-width: 2; } .plot .a { stroke: var(--c2); stroke-width: 2; }
.plot .raw { stroke-width: 1; opacity: 0.35; }
.plot rect.m { fill: var(--line); opacity: 0.7; }
.ticks { position: sticky; left: 0; width: 0; height: 100%; }
.ticks span { position: absolute; left: 2px; transform: translateY(-50%); font-size: 0.72rem; line-height: 1; color: var(--soft); background: var(--raised); padding: 1px 2px; white-space: nowrap; border-radius: 2px; }
.marks { position: relative; height: 1.15rem; overflow: hidden; }
.marks b { position: absolute; font-size: 0.75rem; font-weight: 600; color: var(--soft); }
.thumbs { position: relative; height: 52px; margin-top: 3px; overflow: hidden; }
.thumbs img { position: absolute; border-radius: 4px; background: var(--line); }
.axis { position: relative; height: 1.4rem; border-top: 1px solid var(--line); overflow: hidden; }
.axis span { position: absolute; padding-left: 4px; border-left: 1px solid var(--line); font-size: 0.78rem; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.cross { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--text); pointer-events: none; }
.tip { position: absolute; top: 18px; padding: 0.25rem 0.5rem; background: var(--ground); border: 1px solid var(--line); border-radius: 4px; font-size: 0.82rem; white-space: nowrap; pointer-events: none; font-variant-numeric: tabular-nums; z-index: 2; }
.tip .v { color: var(--c1); } .tip .a { color: var(--c2); }
.zoom { display: flex; gap: 0.5rem; align-items: center; color: var(--soft); font-size: 0.88rem; margin: 0.2rem 0 0.4rem; }
`;

/** Values under the pointer, zoom, and no picture or mark on top of another. Without it the page shows the same picture. */
export const HOVER = `
const data = JSON.parse(document.getElementById("data").textContent);
const inner = document.querySelector(".inner");
const plots = [...document.querySelectorAll(".plot")];
const clock = (ms) => {
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  const rest = "." + String(Math.round(ms) % 1000).padStart(3, "0");
  return (s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ":" + two(s % 60) + rest;
};
const signed = (x) => x === null ? "–" : (x < 0 ? "−" : "+") + Math.abs(x).toFixed(data.digits);
/** The place of the time nearest to t in a sorted list. */
const nearest = (list, t) => {
  let low = 0, high = list.length - 1;
  while (low < high) { const half = (low + high) >> 1; if (list[half] < t) low = half + 1; else high = half; }
  return low > 0 && t - list[low - 1] < list[low] - t ? low - 1 : low;
};
plots.forEach((plot, i) => {
  const cross = document.createElement("div"), tip = document.createElement("div");
  cross.className = "cross"; tip.className = "tip"; cross.hidden = tip.hidden = true;
  plot.append(cross, tip);
  const hide = () => { cross.hidden = tip.hidden = true; };
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const t = data.from + (data.to - data.from) * (event.clientX - box.left) / box.width;
    let best = null;
    for (const track of data.lanes[i]) {
      if (track.t.length === 0) continue;
      const k = nearest(track.t, t), off = Math.abs(track.t[k] - t);
      if (!best || off < best.off) best = { track, k, off };
    }
    if (!best) return hide();
    const { track, k } = best, left = box.width * (track.t[k] - data.from) / (data.to - data.from);
    cross.hidden = tip.hidden = false;
    cross.style.left = left + "px";
    tip.innerHTML = "#" + track.id + " &nbsp;" + clock(track.t[k]) + " &nbsp;<span class=v>V " + signed(track.v[k]) + "</span> &nbsp;<span class=a>A " + signed(track.a[k]) + "</span>";
    tip.style.left = Math.max(0, Math.min(box.width - tip.offsetWidth, left + 10 + tip.offsetWidth > box.width ? left - tip.offsetWidth - 10 : left + 10)) + "px";
  });
});
/** Hides what would lie on its left neighbour, and keeps all inside. */
const unstack = () => {
  const width = inner.clientWidth;
  for (const row of document.querySelectorAll(".thumbs, .marks, .axis")) {
    let end = -1;
    const all = [...row.querySelectorAll("img, b, span")];
    all.sort((a, b) => parseFloat(a.style.left) - parseFloat(b.style.left));
    for (const each of all) {
      const left = parseFloat(each.style.left) / 100 * width, own = each.offsetWidth || 48;
      const at = Math.min(left, width - own);
      each.style.marginLeft = at - left + "px";
      each.style.visibility = at < end ? "hidden" : "";
      if (at >= end) end = at + own + 2;
    }
  }
};
const zoom = document.createElement("label");
zoom.className = "zoom";
zoom.innerHTML = 'zoom <input type="range" min="0" max="6" step="0.5" value="0">';
document.querySelector(".scroll").before(zoom);
zoom.querySelector("input").addEventListener("input", (event) => {
  const scroll = inner.parentElement, middle = (scroll.scrollLeft + scroll.clientWidth / 2) / inner.clientWidth;
  inner.style.setProperty("--zoom", 2 ** event.target.value);
  scroll.scrollLeft = middle * inner.clientWidth - scroll.clientWidth / 2;
  unstack();
});
addEventListener("resize", unstack);
unstack();
`;
