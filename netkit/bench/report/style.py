"""The page's style sheet: light and dark, phone and wide window, and paper.

Colours of series keep a contrast of 3:1 to the ground in both themes, and text 4.5:1 (WCAG 2.2,
1.4.3 and 1.4.11); they also differ for those who do not tell red from green.
"""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #14181f; --soft: #525b6b; --rule: #dde1e8;
  --grid: #e6e9ee; --code: #eef1f5; --good: #0b6b3a; --bad: #a8321a; --plain: #43506a;
  --good-ground: #e2f4e9; --bad-ground: #fce9e4; --plain-ground: #e9edf5;
  --s1: #1f66d1; --s2: #c2570c; --s3: #0d8272; --s4: #8a3fb0; --s5: #7d8698;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1319; --card: #181d26; --ink: #e8ecf3; --soft: #a2adbf; --rule: #2c3442;
    --grid: #29303d; --code: #222936; --good: #6fd99c; --bad: #ff9a80; --plain: #b6c4e2;
    --good-ground: #16382a; --bad-ground: #452219; --plain-ground: #283248;
    --s1: #6ba6ff; --s2: #f0a04b; --s3: #4cc9b0; --s4: #cd93f0; --s5: #8e99ad;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans",
    sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
main, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding: 36px 0 20px; }
.product {
  margin: 0; color: var(--soft); font-size: 13px; font-weight: 600; letter-spacing: .04em;
}
h1 { margin: 4px 0 6px; font-size: 30px; line-height: 1.2; letter-spacing: -.01em; }
.under { margin: 0; color: var(--soft); display: flex; flex-wrap: wrap; gap: 0 22px; }
h2 { margin: 0 0 12px; font-size: 19px; line-height: 1.3; }
h2 + .note { margin-top: -8px; }
h3 { margin: 0 0 10px; font-size: 15px; line-height: 1.4; }
p { margin: 0 0 10px; }
.note { margin: 0 0 16px; color: var(--soft); font-size: 14px; max-width: 78ch; }
.card {
  background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 22px 24px; margin: 0 0 20px; min-width: 0;
}
.warn { border-left: 4px solid var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 0 0 20px; padding: 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 16px; min-width: 0; }
.tile dt { color: var(--soft); font-size: 13px; }
.tile dd { margin: 2px 0 0; font-size: 22px; font-weight: 650; line-height: 1.25; }
.tile dd small { display: block; color: var(--soft); font-size: 12.5px; font-weight: 400; }
.advice { display: grid; grid-template-columns: 132px minmax(0, 1fr); gap: 4px 20px;
  padding: 16px 0; border-top: 1px solid var(--rule); }
.advice:first-of-type { border-top: 0; padding-top: 8px; }
.advice:last-child { padding-bottom: 0; }
.topic { color: var(--soft); font-size: 13px; }
.chip { display: inline-block; margin-top: 2px; padding: 2px 10px; border-radius: 99px;
  font-size: 14px; font-weight: 650; background: var(--plain-ground); color: var(--plain); }
.chip.good { background: var(--good-ground); color: var(--good); }
.chip.bad { background: var(--bad-ground); color: var(--bad); }
.advice h3 { margin: 0 0 4px; font-size: 17px; }
.advice p { max-width: 76ch; }
.advice p:last-child { margin-bottom: 0; }
pre + .note { margin: 4px 0 12px; }
.good { color: var(--good); } .bad { color: var(--bad); }
pre, code { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas,
  "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: 13.5px; }
pre { margin: 6px 0 0; padding: 9px 12px; background: var(--code); border-radius: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.grid { display: grid; gap: 28px 44px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; font-size: 15px; margin: 0 0 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 10px; padding: 0;
  list-style: none; color: var(--soft); font-size: 13px; }
.legend b { color: var(--ink); font-weight: 600; }
.below { margin-top: 10px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px;
  margin-right: 6px; vertical-align: -1px; }
.scroll { overflow-x: auto; margin: 0 -24px; padding: 0 24px; }
.scroll:focus-visible { outline: 2px solid var(--s1); outline-offset: -2px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 14px; }
th { color: var(--soft); font-weight: 600; font-size: 13px; text-align: left; white-space: nowrap; }
th, td { padding: 7px 18px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  overflow-wrap: normal; }
tbody tr:last-child > * { border-bottom: 0; }
th:last-child, td:last-child { padding-right: 0; }
tbody th { color: var(--ink); font-weight: 500; font-size: 14px; white-space: normal; }
.group td::first-letter { text-transform: uppercase; }
.group td { padding-top: 16px; color: var(--soft); font-size: 13px; font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.wide { min-width: 300px; } .term { white-space: nowrap; }
.meter { display: block; width: 90px; height: 8px; margin-top: 7px; border-radius: 4px;
  background: var(--grid); overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--s1); }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 22px;
  margin: 0; font-size: 14px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }
figure + figure { margin-top: 26px; }
.grid > figure + figure { margin-top: 0; }
ul.plain { margin: 0; padding: 0 0 0 18px; font-size: 14px; }
footer { color: var(--soft); font-size: 13px; padding-bottom: 40px; }
.chart { display: block; overflow: visible; font-size: 13px; }
.chart text { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 4px;
  stroke-linejoin: round; }
.chart .tick { fill: var(--soft); font-size: 12px; text-anchor: middle; }
.chart .tick.start { text-anchor: start; } .chart .tick.end { text-anchor: end; }
.chart .left { text-anchor: start; }
.chart .value { font-size: 12.5px; }
.chart .end { text-anchor: end; }
.chart .good { fill: var(--good); font-weight: 600; }
.chart .bad { fill: var(--bad); font-weight: 600; }
.chart .grid { stroke: var(--grid); stroke-width: 1; }
.chart .track { stroke: var(--rule); stroke-width: 1; }
.chart .joint { stroke: var(--soft); stroke-width: 2; opacity: .55; }
.chart .reference { stroke: var(--soft); stroke-width: 1.5; }
.chart .whisker { stroke: var(--ink); stroke-width: 1.25; opacity: .75; }
.chart .run { stroke-width: 1.5; opacity: .55; }
.chart .curve { fill: none; stroke-width: 2; }
.chart .dot { stroke: var(--card); stroke-width: 1.5; }
.chart .s1 { fill: var(--s1); } .chart .s2 { fill: var(--s2); } .chart .s3 { fill: var(--s3); }
.chart .s4 { fill: var(--s4); } .chart .s5 { fill: var(--s5); }
.chart .run.s1, .chart .curve.s1 { stroke: var(--s1); }
.chart .run.s2, .chart .curve.s2 { stroke: var(--s2); }
.chart .run.s3, .chart .curve.s3 { stroke: var(--s3); }
.chart .run.s4, .chart .curve.s4 { stroke: var(--s4); }
.chart .run.s5, .chart .curve.s5 { stroke: var(--s5); }
.chart .curve { fill: none; }
.chart .part { stroke: var(--card); stroke-width: 2; }
.swatch.s1 { background: var(--s1); } .swatch.s2 { background: var(--s2); }
.swatch.s3 { background: var(--s3); } .swatch.s4 { background: var(--s4); }
.swatch.s5 { background: var(--s5); }
@media screen and (max-width: 760px) {
  main, footer { padding: 0 14px; }
  header { padding: 22px 0 14px; }
  h1 { font-size: 24px; }
  .card { padding: 16px; border-radius: 10px; }
  .grid { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; }
  .tile { padding: 11px 12px; } .tile dd { font-size: 19px; }
  .advice { grid-template-columns: minmax(0, 1fr); }
  .topic { display: inline-block; margin-right: 8px; }
  .scroll { margin: 0 -16px; padding: 0 16px; }
  tbody th { position: sticky; left: -16px; min-width: 124px; max-width: 44vw;
    background: var(--card); }
  .stacked thead { display: none; }
  .stacked, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; }
  .stacked th, .stacked td { position: static; max-width: none; border: 0; padding: 2px 0; }
  .stacked tr { padding: 10px 0; border-bottom: 1px solid var(--rule); }
  .stacked tbody tr:last-child { border-bottom: 0; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dd { margin-bottom: 8px; }
}
@media print {
  :root { --ground: #ffffff; --card: #ffffff; --code: #eef1f5; }
  body { font-size: 10pt; }
  main, footer { max-width: none; padding: 0; }
  .card { padding: 12px 0; margin: 0; border-width: 1px 0 0; border-radius: 0; }
  .advice, .tile, figure, tr { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  .advice { grid-template-columns: 100px minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); margin: 0 0 12px; }
  .scroll { overflow: visible; margin: 0; padding: 0; }
  table { font-size: 8.5pt; }
  th, td { padding: 4px 10px 4px 0; }
  .wide { min-width: 0; }
}
"""
