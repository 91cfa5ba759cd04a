//! The program `muster`.

/// Requests are many small allocations on several threads. This allocator hands out first what was freed last, which is
/// still in the processor's cache.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    muster::cli::run()
}
