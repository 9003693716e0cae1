// What a dashboard of this repository may be, in terms of Grafana's own schema. `cargo xtask dashboards` writes each
// dashboard into target/npm as a TypeScript literal of this type, so that a wrong value and an unknown option are both errors.

import type { Dashboard, DataQuery, Panel, RowPanel, FieldConfig, AnnotationQuery } from "@grafana/schema";
import type * as Heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as StateTimeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has no enums: each stands for the values of its members.
type Plain<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer N extends number}` ? N : T
    : T extends (infer U)[]
      ? Plain<U>[]
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T;

// The options and the field configuration of each kind of panel.
interface Kinds {
  heatmap: [Heatmap.Options, Heatmap.FieldConfig];
  stat: [Stat.Options, Record<string, never>];
  "state-timeline": [StateTimeline.Options, StateTimeline.FieldConfig];
  table: [Table.Options, Omit<Table.FieldConfig, "cellOptions">];
  timeseries: [TimeSeries.Options, TimeSeries.FieldConfig];
}

// Grafana's schema leaves the queries to the data source.
interface Prometheus extends DataQuery {
  expr: string;
  legendFormat?: string;
  format?: "time_series" | "table" | "heatmap";
  instant?: boolean;
  range?: boolean;
}

type Of<K extends keyof Kinds> = Plain<
  Required<Pick<Panel, "title" | "description" | "gridPos" | "id" | "datasource">> & Pick<Panel, "transformations">
> & {
  type: K;
  targets: Prometheus[];
  options: Plain<Kinds[K][0]>;
  fieldConfig: {
    defaults: Plain<Omit<FieldConfig, "custom">> & { unit: string; custom?: Plain<Kinds[K][1]> };
    overrides: NonNullable<Panel["fieldConfig"]>["overrides"];
  };
};

export type AnyPanel = { [K in keyof Kinds]: Of<K> }[keyof Kinds];
type Row = Plain<Omit<RowPanel, "panels">> & { panels: AnyPanel[] };

export type Kept = Plain<Omit<Dashboard, "panels" | "annotations">> & {
  annotations?: { list: Plain<Omit<AnnotationQuery, "target"> & { target: Prometheus }>[] };
  panels: (Row | AnyPanel)[];
};
