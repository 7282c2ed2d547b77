//! The controller service over volumes that do as a test says, in virtual time, and the socket.

mod deadlines;
mod operations;
mod probe;
mod secrets;
mod socket;
mod volumes;
