//! The program `muster`.

/// Requests are many small allocations on several threads, which this allocator does at half the cost of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    muster::cli::run()
}
