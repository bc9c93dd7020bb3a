//! Somebody on the way between a client and a server, who sees every frame and may change those that go to the server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

type Change = Box<dyn FnMut(usize, &[u8]) -> Vec<Vec<u8>> + Send>;

/// Forwards one connection after the other, until the process ends.
pub struct Middle {
    /// Where clients connect.
    pub endpoint: String,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What precedes frames.
const GREETING: usize = 64;

impl Middle {
    /// Changes nothing.
    pub fn new(server: &str) -> Self {
        Self::changing(server, || Box::new(|_, frame| vec![frame.to_vec()]))
    }

    /// For each connection, `change` makes what is asked about each frame that goes to the server: its number, and its bytes. What it gives
    /// is forwarded instead.
    pub fn changing(server: &str, change: impl Fn() -> Change + Send + 'static) -> Self {
        let server = server.trim_start_matches("tcp://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let log = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone())
                else {
                    continue;
                };
                let (log, change) = (log.clone(), change());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_server, &mut to_client);
                    let _ = to_client.shutdown(Shutdown::Both);
                });
                std::thread::spawn(move || {
                    let _ = forward(&client, &server, &log, change);
                    let _ = server.shutdown(Shutdown::Both);
                });
            }
        });
        Self { endpoint, seen }
    }

    /// The frames that went to the server so far, without the greeting, as they came.
    pub fn to_server(&self) -> Vec<Vec<u8>> {
        self.seen.lock().expect("nobody panics").clone()
    }
}

fn forward(
    mut client: &TcpStream,
    mut server: &TcpStream,
    log: &Mutex<Vec<Vec<u8>>>,
    mut change: Change,
) -> std::io::Result<()> {
    // In pieces, since the client wants an answer to the first one.
    let (mut greeting, mut read) = ([0; GREETING], 0);
    while read < GREETING {
        let count = client.read(&mut greeting[read..])?;
        if count == 0 {
            return Ok(());
        }
        server.write_all(&greeting[read..read + count])?;
        read += count;
    }
    for number in 0.. {
        let mut frame = vec![0; 2];
        client.read_exact(&mut frame)?;
        let length = if frame[0] & 2 == 0 {
            usize::from(frame[1])
        } else {
            frame.resize(9, 0);
            client.read_exact(&mut frame[2..])?;
            u64::from_be_bytes(frame[1..9].try_into().expect("eight bytes")) as usize
        };
        let header = frame.len();
        frame.resize(header + length, 0);
        client.read_exact(&mut frame[header..])?;
        log.lock().expect("nobody panics").push(frame.clone());
        for frame in change(number, &frame) {
            server.write_all(&frame)?;
        }
    }
    Ok(())
}
