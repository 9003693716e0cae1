//! The domain logic of ddns: types, state machines, ports and the driver.
