// Whether the check is awake: each of these is wrong, and it is an error if the compiler does not say so.

import type { AnyPanel } from "./kept";

const panel = {
  id: 1,
  title: "A panel",
  description: "Of no use.",
  gridPos: { h: 4, w: 4, x: 0, y: 0 },
  datasource: { type: "prometheus", uid: "${datasource}" },
  targets: [],
};
type Timeline = Extract<AnyPanel, { type: "state-timeline" }>["options"];
const timeline: Timeline = {
  rowHeight: 0.9,
  showValue: "auto",
  legend: { showLegend: false, displayMode: "list", placement: "bottom", calcs: [] },
  tooltip: { mode: "single", sort: "none" },
};
const fields = { defaults: { unit: "none" }, overrides: [] };

export const right: AnyPanel = { ...panel, type: "state-timeline", options: timeline, fieldConfig: fields };
// @ts-expect-error: an option of the wrong type
export const mistyped: AnyPanel = { ...panel, type: "state-timeline", options: { ...timeline, rowHeight: "0.9" }, fieldConfig: fields };
// @ts-expect-error: no value of that enumeration
export const unknown: AnyPanel = { ...panel, type: "state-timeline", options: { ...timeline, showValue: "sometimes" }, fieldConfig: fields };
// @ts-expect-error: no such option
export const misspelt: AnyPanel = { ...panel, type: "state-timeline", options: { ...timeline, mergeValue: true }, fieldConfig: fields };
// @ts-expect-error: no such kind of panel
export const kind: AnyPanel = { ...panel, type: "graph", options: {}, fieldConfig: fields };
