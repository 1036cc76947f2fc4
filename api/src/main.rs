//! The program `cluestream`.

fn main() -> std::process::ExitCode {
    api::run()
}
