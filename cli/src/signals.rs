//! Signals of the system that ask the program to end.

use anyhow::{Context, Result};
use tokio::sync::watch;

/// From here on SIGINT and SIGTERM set `stop`; a second one ends the program at
/// once. Must be called inside a tokio runtime.
pub(crate) fn stop_on_signal(stop: watch::Sender<bool>) -> Result<()> {
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("stopping; signal again to stop at once");
        stop.send_replace(true);
        signals.next().await;
        std::process::exit(130);
    });
    Ok(())
}

/// Completes when `stop` is set.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody is left who could set it.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

/// SIGHUP, by which files are read anew; where there is no such signal it never comes.
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangups {
    /// From here on the signal does not end the program.
    pub(crate) fn listen() -> std::io::Result<Hangups> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Hangups {
                signal: signal(SignalKind::hangup())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Hangups {})
    }

    /// Completes at the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
