use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

pub fn plug_answer(_: &[u8]) {}
