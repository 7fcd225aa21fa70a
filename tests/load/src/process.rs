//! A server under load, and its resources according to the kernel.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// A child process that listens on `address`. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Its other address, if it has one.
    pub(crate) second: Option<SocketAddr>,
    pub(crate) started: Instant,
}

impl Process {
    /// Starts `program`. Each `{}` in its arguments becomes a free address on loopback; the
    /// first of them is where it is going to be asked. `log` is where its stderr goes.
    pub(crate) fn start(program: &OsStr, arguments: &[String], log: Stdio) -> anyhow::Result<Self> {
        let mut addresses = Vec::new();
        let mut command = Command::new(program);
        for argument in arguments {
            let argument = match argument.strip_suffix("{}") {
                None => argument.clone(),
                Some(flag) => {
                    let address = free_address()?;
                    addresses.push(address);
                    format!("{flag}{address}")
                }
            };
            command.arg(argument);
        }
        // What a developer has set for a cluster of theirs is not for this.
        command
            .env_remove("KUBECONFIG")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env("HOME", "/nonexistent")
            .envs(image_environment());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = Instant::now();
        let child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, address: addresses[0], second: addresses.get(1).copied(), started })
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server has ended: {status}"),
        }
    }

    /// How much CPU all its threads have used: user and system.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // The kernel counts in nanoseconds here, and in hundredths of a second in `stat`.
            // A thread may be gone by now.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let on_cpu = text.split(' ').next().unwrap_or_default();
            nanoseconds += on_cpu.parse::<u64>().context("no schedstat in this kernel")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// The environment variables of the image.
fn image_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("../../../Dockerfile").lines();
    lines.filter_map(|line| line.strip_prefix("ENV ")?.split_once('='))
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
