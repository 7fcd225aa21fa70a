//! The command line.

mod args;
mod inject;
mod serve;
mod tls;

use std::process::ExitCode;

pub use args::{Cli, Command, GraceMode, HookMode, InjectionArgs, ServeArgs};
pub use inject::{InjectArgs, ManifestArgs};
pub use serve::ServeError;
pub use tls::{SelfManagedArgs, TlsArgs, TlsError, TlsMode};

use args::DelayAboveMaximum;

use crate::{manifests, telemetry::start_log};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `serve` did.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// `inject` or `uninject` did.
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    /// The flags contradict each other.
    #[error(transparent)]
    Flags(#[from] DelayAboveMaximum),
}

impl Cli {
    /// Does what the command line says, to its end.
    ///
    /// # Errors
    /// When that cannot be done. [`Error::exit_code`] tells whose fault it is.
    pub fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Serve(args) => Ok(Self::serve(args)?),
            Command::Inject(args) => inject::inject(&args),
            Command::Uninject(args) => inject::uninject(&args),
        }
    }

    fn serve(args: Box<ServeArgs>) -> Result<(), ServeError> {
        start_log(args.log.log_format, &args.log.log);
        // One thread answers tens of thousands of reviews a second. More would cost memory, and CPU
        // for waking each other up.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        let result = runtime.block_on(serve::serve(args));
        runtime.shutdown_background();
        result
    }
}

impl Error {
    /// 2 when a flag or the input is to blame, otherwise 1.
    pub fn exit_code(&self) -> ExitCode {
        use ServeError::{Bind, Certificate, Flags};
        use manifests::Error::{Notices, Write};
        match self {
            Self::Serve(Flags(_) | Bind(_)) | Self::Flags(_) => ExitCode::from(2),
            Self::Serve(Certificate(error)) if error.is_about_flags() => ExitCode::from(2),
            Self::Manifests(error) if !matches!(error, Notices(_) | Write(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
