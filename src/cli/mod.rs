//! The command line.

mod args;
mod serve;

use std::process::ExitCode;

pub use args::{Cli, Command, HookMode, ServeArgs};
pub use serve::ServeError;

use crate::telemetry::start_log;

impl Cli {
    /// Does what the command line says, to its end.
    ///
    /// # Errors
    /// When that cannot be done. [`ServeError::exit_code`] tells whose fault it is.
    pub fn run(self) -> Result<(), ServeError> {
        let Command::Serve(args) = self.command;
        start_log(args.log.log_format, &args.log.log);
        // The runtime's default is a thread for each core of the node. Reviews take
        // microseconds: more than a few threads would only cost memory.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.clamp(1, 4))
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        let result = runtime.block_on(serve::serve(args));
        runtime.shutdown_background();
        result
    }
}

impl ServeError {
    /// 2 when a flag is to blame, otherwise 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Bind(_) | Self::CertificateFiles(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
