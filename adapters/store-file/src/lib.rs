//! StateStore in two alternating checksummed slots.
