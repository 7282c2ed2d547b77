//! The unix socket that the services are reached by.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::rpc_log::RpcLog;

/// Who may connect: the owner and the group.
const MODE: u32 = 0o660;
/// How long calls under way may still take when the program is asked to stop. Whatever is cut off is done again later.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the services can't be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The endpoint is not a socket of this machine.
    #[error(
        "`{0}` can't be the endpoint: it has to be a unix socket, like `unix:///csi/csi.sock`; whoever reaches it can use \
         the volumes, so it is not served on the network"
    )]
    Endpoint(String),
    /// Another process answers there.
    #[error("another process serves {}; stop it, or choose another endpoint", .0.display())]
    Taken(PathBuf),
    /// Something else is in the place of the socket.
    #[error("{} exists and is not a socket; remove it, or choose another endpoint", .0.display())]
    NotASocket(PathBuf),
    /// The file system does not let us.
    #[error("{}: {source}", path.display())]
    File {
        /// The path of the socket.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The server broke down.
    #[error("the server failed: {0}")]
    Serving(#[from] tonic::transport::Error),
}

/// A socket that waits for connections.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket, which is removed with this.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // When someone removed it, it is gone; there is nothing else to do about a failure.
        _ = fs::remove_file(&self.0);
    }
}

/// The path in an endpoint: `unix:///path`, `unix:/path` or a bare path.
fn path(endpoint: &str) -> Result<&Path, ServerError> {
    let rest = endpoint.strip_prefix("unix:").unwrap_or(endpoint);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest.starts_with('/') { Ok(Path::new(rest)) } else { Err(ServerError::Endpoint(endpoint.to_owned())) }
}

/// Removes the socket that an earlier process has left behind.
fn make_room(path: &Path) -> Result<(), ServerError> {
    let failed = |source| ServerError::File { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => Err(ServerError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(ServerError::Taken(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(failed),
    }
}

impl Socket {
    /// Binds the socket of an endpoint, in place of one that no process serves any more.
    ///
    /// # Errors
    /// When the endpoint is not a unix socket, or its place is taken.
    pub fn bind(endpoint: &str) -> Result<Self, ServerError> {
        let path = path(endpoint)?;
        make_room(path)?;
        let failed = |source| ServerError::File { path: path.to_owned(), source };
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
        Ok(Self { listener, file })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.0
    }

    /// Serves until `stop` is done, and then for a moment what is under way.
    ///
    /// # Errors
    /// When the server breaks down.
    pub async fn serve(self, services: Routes, stop: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        let Self { listener, file: _file } = self;
        let connections = stream::poll_fn(move |cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream).map(Some));
        let (end, ended) = oneshot::channel::<()>();
        let mut serving =
            std::pin::pin!(Server::builder().layer(RpcLog).add_routes(services).serve_with_incoming_shutdown(
                connections,
                async move {
                    _ = ended.await;
                }
            ));
        tokio::select! {
            result = &mut serving => result?,
            () = stop => {
                _ = end.send(());
                match tokio::time::timeout(PATIENCE, serving).await {
                    Ok(result) => result?,
                    Err(_) => tracing::warn!("calls were still under way; they will be asked for again"),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_unix_sockets() {
        for endpoint in ["unix:///csi/csi.sock", "unix:/csi/csi.sock", "/csi/csi.sock"] {
            assert_eq!(path(endpoint).unwrap(), Path::new("/csi/csi.sock"));
        }
        for endpoint in ["tcp://127.0.0.1:10000", "127.0.0.1:10000", "unix://", "csi.sock", ""] {
            assert!(matches!(path(endpoint), Err(ServerError::Endpoint(_))), "{endpoint}");
        }
    }
}
