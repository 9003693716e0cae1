//! A day in the life of an appliance, seen by a real Prometheus: every query of the dashboards and of the alerts is executed
//! against it. Needs root.

mod cast;
mod day;
mod queries;
#[path = "../netns/scene.rs"]
#[allow(dead_code, reason = "the other suite uses the rest of it")]
mod scene;
