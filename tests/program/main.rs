//! The program as its users meet it: a process, a database file, and HTTP.

mod flows;
mod races;
mod server;
