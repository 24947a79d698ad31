//! SPDY/3.1, as far as Kubernetes' streams use it: frames, their compressed headers, and a connection
//! that hands out the streams which its client opens. No crate that is kept speaks it.
//!
//! The draft `draft-mbelshe-httpbis-spdy-00` has the frames. Like moby/spdystream, which is at the
//! other end, it uses no windows: TCP holds back who sends too fast.

use std::collections::BTreeMap;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// The words that the headers' compression begins with, each after its length; then [`DICTIONARY_END`].
const DICTIONARY_WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding \
     accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding \
     content-language content-length content-location content-md5 content-range content-type date etag expect expires \
     from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location \
     max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer \
     transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 \
     url public set-cookie keep-alive origin";

const DICTIONARY_END: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
     203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
     404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug \
     Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
     application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
     charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// A frame's data, and a block of headers, may be so long.
const FRAME_BYTES: usize = 1 << 20;
const HEADER_BYTES: usize = 64 << 10;

/// Data is sent in frames of at most so many bytes.
const CHUNK: usize = 32 << 10;

/// Streams that a connection may have open at a time.
const STREAMS: usize = 4_096;

/// What waits in a stream for its reader; then the connection is not read any further.
const WAITING: usize = 64;

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in DICTIONARY_WORDS.split_whitespace() {
        let word = word.replace('_', " ");
        bytes.extend((word.len() as u32).to_be_bytes());
        bytes.extend(word.as_bytes());
    }
    bytes.extend(DICTIONARY_END.as_bytes());
    bytes
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the peer speaks another version of SPDY")]
    Version,
    #[error("a frame is too long")]
    TooLong,
    #[error("a frame is malformed")]
    Malformed,
}

/// Header names in lower case, with their values.
pub type Headers = BTreeMap<String, String>;

#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Open {
        stream: u32,
        fin: bool,
        headers: Headers,
    },
    Data {
        stream: u32,
        fin: bool,
        bytes: Vec<u8>,
    },
    Reset {
        stream: u32,
    },
    Ping {
        id: u32,
    },
    /// The peer opens no more streams.
    GoAway,
    /// One that changes nothing here.
    Other,
}

/// Reads frames.
pub struct Decoder {
    inflate: Decompress,
}

fn be(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b))
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder {
            inflate: Decompress::new(true),
        }
    }

    /// Takes the first frame off `buffer`; `None` while it is not whole.
    ///
    /// # Errors
    /// After one the connection cannot go on.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Frame>, Error> {
        let Some((head, rest)) = buffer.split_at_checked(8) else {
            return Ok(None);
        };
        let length = be(&head[5..8]) as usize;
        if length > FRAME_BYTES {
            return Err(Error::TooLong);
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let first = be(&head[..4]);
        let fin = head[4] & 1 != 0;
        let id = body.get(..4).map(|b| be(b) & 0x7fff_ffff);
        let frame = if first >> 31 == 0 {
            Frame::Data {
                stream: first,
                fin,
                bytes: body.to_vec(),
            }
        } else {
            if first >> 16 & 0x7fff != 3 {
                return Err(Error::Version);
            }
            let id = id.ok_or(Error::Malformed);
            match first & 0xffff {
                1 => {
                    let block = body.get(10..).ok_or(Error::Malformed)?;
                    Frame::Open {
                        stream: id?,
                        fin,
                        headers: self.headers(block)?,
                    }
                }
                // Replies and more headers are read for the state of the compression alone.
                2 | 8 => {
                    self.headers(body.get(4..).ok_or(Error::Malformed)?)?;
                    Frame::Other
                }
                3 => Frame::Reset { stream: id? },
                6 => Frame::Ping {
                    id: body.get(..4).map_or(0, be),
                },
                7 => Frame::GoAway,
                _ => Frame::Other,
            }
        };
        buffer.drain(..8 + length);
        Ok(Some(frame))
    }

    fn headers(&mut self, block: &[u8]) -> Result<Headers, Error> {
        let mut plain = Vec::with_capacity(HEADER_BYTES);
        let begin = self.inflate.total_in();
        loop {
            let done = usize::try_from(self.inflate.total_in() - begin).map_err(|_| Error::Malformed)?;
            let rest = block.get(done..).unwrap_or_default();
            match self.inflate.decompress_vec(rest, &mut plain, FlushDecompress::Sync) {
                Ok(_) if self.inflate.total_in() - begin >= block.len() as u64 => break,
                Ok(Status::BufError) => return Err(Error::Malformed),
                Ok(_) if plain.len() >= HEADER_BYTES => return Err(Error::TooLong),
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.inflate
                        .set_dictionary(&dictionary())
                        .map_err(|_| Error::Malformed)?;
                }
                Err(_) => return Err(Error::Malformed),
            }
        }
        let mut rest = plain.as_slice();
        let mut text = |wanted: Option<usize>| -> Result<(usize, String), Error> {
            let (number, after) = rest.split_at_checked(4).ok_or(Error::Malformed)?;
            let number = be(number) as usize;
            let length = wanted.unwrap_or(number);
            let (bytes, after) = after.split_at_checked(length).ok_or(Error::Malformed)?;
            rest = after;
            Ok((number, String::from_utf8_lossy(bytes).into_owned()))
        };
        let (count, _) = text(Some(0))?;
        let mut headers = Headers::new();
        for _ in 0..count {
            let (_, name) = text(None)?;
            let (_, value) = text(None)?;
            headers.insert(name.to_ascii_lowercase(), value);
        }
        Ok(headers)
    }
}

/// Writes frames.
pub struct Encoder {
    deflate: Compress,
    begun: bool,
}

fn control(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3, 0, kind, flags];
    frame.extend(&(body.len() as u32).to_be_bytes()[1..]);
    frame.extend(body);
    frame
}

impl Encoder {
    pub fn new() -> Encoder {
        Encoder {
            deflate: Compress::new(Compression::default(), true),
            begun: false,
        }
    }

    fn block(&mut self, headers: &Headers) -> Result<Vec<u8>, Error> {
        if !self.begun {
            self.begun = true;
            self.deflate
                .set_dictionary(&dictionary())
                .map_err(|_| Error::Malformed)?;
        }
        let mut plain = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(k, v)| [k, v]) {
            plain.extend((text.len() as u32).to_be_bytes());
            plain.extend(text.as_bytes());
        }
        let mut out = Vec::with_capacity(plain.len() + 256);
        self.deflate
            .compress_vec(&plain, &mut out, FlushCompress::Sync)
            .map_err(|_| Error::Malformed)?;
        Ok(out)
    }

    /// SYN_REPLY: the stream is accepted.
    ///
    /// # Errors
    /// When the headers cannot be compressed.
    pub fn reply(&mut self, stream: u32, headers: &Headers) -> Result<Vec<u8>, Error> {
        let mut body = stream.to_be_bytes().to_vec();
        body.extend(self.block(headers)?);
        Ok(control(2, 0, &body))
    }

    /// SYN_STREAM, as a client opens a stream.
    ///
    /// # Errors
    /// When the headers cannot be compressed.
    #[cfg(test)]
    pub fn open(&mut self, stream: u32, headers: &Headers) -> Result<Vec<u8>, Error> {
        let mut body = stream.to_be_bytes().to_vec();
        body.extend([0; 6]);
        body.extend(self.block(headers)?);
        Ok(control(1, 0, &body))
    }

    pub fn ping(&self, id: u32) -> Vec<u8> {
        control(6, 0, &id.to_be_bytes())
    }

    /// GOAWAY: the connection ends, with success.
    pub fn go_away(&self) -> Vec<u8> {
        control(7, 0, &[0; 8])
    }

    /// Data frames; the last ends the stream if `fin`.
    pub fn data(&self, stream: u32, bytes: &[u8], fin: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 8);
        let mut chunks = bytes.chunks(CHUNK).peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let last = chunks.peek().is_none();
            out.extend(stream.to_be_bytes());
            out.push(u8::from(fin && last));
            out.extend(&(chunk.len() as u32).to_be_bytes()[1..]);
            out.extend(chunk);
            if last {
                return out;
            }
        }
    }
}

/// A stream that the client opened.
pub struct Stream {
    pub id: u32,
    pub headers: Headers,
    /// What the client sends; ends where it half-closes.
    pub incoming: mpsc::Receiver<Vec<u8>>,
}

/// What is sent.
pub enum Command {
    Reply(u32),
    Ping(u32),
    Data(u32, Vec<u8>),
    Finish(u32),
    /// Ends the connection.
    Close,
}

/// A connection: the streams that come, and the way out.
pub struct Connection {
    pub streams: mpsc::UnboundedReceiver<Stream>,
    pub out: mpsc::Sender<Command>,
}

/// Speaks SPDY over `io` in tasks of its own, until either side ends.
pub fn start(io: impl AsyncRead + AsyncWrite + 'static) -> Connection {
    let (reader, writer) = tokio::io::split(io);
    let (out, commands) = mpsc::channel(256);
    let (opened, streams) = mpsc::unbounded_channel();
    tokio::task::spawn_local(write(writer, commands));
    tokio::task::spawn_local(read(reader, opened, out.clone()));
    Connection { streams, out }
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut commands: mpsc::Receiver<Command>) {
    let mut encoder = Encoder::new();
    while let Some(command) = commands.recv().await {
        let frame = match command {
            Command::Reply(stream) => match encoder.reply(stream, &Headers::new()) {
                Ok(frame) => frame,
                Err(_) => return,
            },
            Command::Ping(id) => encoder.ping(id),
            Command::Data(stream, bytes) => encoder.data(stream, &bytes, false),
            Command::Finish(stream) => encoder.data(stream, b"", true),
            Command::Close => {
                let _ = writer.write_all(&encoder.go_away()).await;
                let _ = writer.shutdown().await;
                return;
            }
        };
        if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn read(mut reader: impl AsyncRead + Unpin, opened: mpsc::UnboundedSender<Stream>, out: mpsc::Sender<Command>) {
    let mut decoder = Decoder::new();
    let mut buffer = Vec::new();
    let mut open: BTreeMap<u32, mpsc::Sender<Vec<u8>>> = BTreeMap::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let frame = match decoder.next(&mut buffer) {
            Ok(Some(frame)) => frame,
            Ok(None) => match reader.read(&mut chunk).await {
                Ok(n) if n > 0 => {
                    buffer.extend_from_slice(&chunk[..n]);
                    continue;
                }
                _ => return,
            },
            // A peer that cannot be understood is left.
            Err(_) => {
                let _ = out.send(Command::Close).await;
                return;
            }
        };
        match frame {
            Frame::Open { stream, fin, headers } => {
                if open.len() >= STREAMS {
                    let _ = out.send(Command::Close).await;
                    return;
                }
                let (sender, incoming) = mpsc::channel(WAITING);
                if !fin {
                    open.insert(stream, sender);
                }
                let _ = out.send(Command::Reply(stream)).await;
                let _ = opened.send(Stream {
                    id: stream,
                    headers,
                    incoming,
                });
            }
            Frame::Data { stream, fin, bytes } => {
                if let Some(sender) = open.get(&stream)
                    && !bytes.is_empty()
                {
                    // Whoever reads the stream may have lost interest.
                    let _ = sender.send(bytes).await;
                }
                if fin {
                    open.remove(&stream);
                }
            }
            Frame::Reset { stream } => {
                open.remove(&stream);
            }
            Frame::Ping { id } => {
                let _ = out.send(Command::Ping(id)).await;
            }
            Frame::GoAway | Frame::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> Headers {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_dictionary_is_the_drafts() {
        let bytes = dictionary();
        let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (b + a) % 65_521)
        });
        // Adler-32, as it stands at the head of every compressed block that SPDY/3 sends first.
        assert_eq!((bytes.len(), b << 16 | a), (1_423, 0xe3c6_a7c2));
    }

    #[test]
    fn frames_survive_the_way_there_and_back() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let stdin = headers(&[("streamtype", "stdin"), ("x", &"long ".repeat(500))]);
        let stdout = headers(&[("streamtype", "stdout")]);
        let mut wire = encoder.open(1, &stdin).unwrap();
        wire.extend(encoder.open(3, &stdout).unwrap());
        wire.extend(encoder.data(1, b"hello", true));
        wire.extend(encoder.data(3, b"", false));
        wire.extend(encoder.ping(7));
        wire.extend(encoder.go_away());
        let mut frames = Vec::new();
        let mut buffer = Vec::new();
        // A byte at a time: no frame may depend on where reads end.
        for byte in wire {
            buffer.push(byte);
            while let Some(frame) = decoder.next(&mut buffer).unwrap() {
                frames.push(frame);
            }
        }
        let data = |stream, fin, bytes: &[u8]| Frame::Data {
            stream,
            fin,
            bytes: bytes.to_vec(),
        };
        assert_eq!(
            frames,
            [
                Frame::Open {
                    stream: 1,
                    fin: false,
                    headers: stdin
                },
                Frame::Open {
                    stream: 3,
                    fin: false,
                    headers: stdout
                },
                data(1, true, b"hello"),
                data(3, false, b""),
                Frame::Ping { id: 7 },
                Frame::GoAway,
            ]
        );
    }

    #[test]
    fn long_data_is_cut_into_frames() {
        let wire = Encoder::new().data(5, &vec![1; CHUNK + 1], true);
        let (mut decoder, mut buffer) = (Decoder::new(), wire);
        let mut sizes = Vec::new();
        while let Some(Frame::Data { fin, bytes, .. }) = decoder.next(&mut buffer).unwrap() {
            sizes.push((bytes.len(), fin));
        }
        assert_eq!(sizes, [(CHUNK, false), (1, true)]);
    }

    #[test]
    fn malformed_frames_end_the_connection() {
        let next = |bytes: &[u8]| Decoder::new().next(&mut bytes.to_vec());
        assert_eq!(next(&[0x80, 2, 0, 1, 0, 0, 0, 0]), Err(Error::Version));
        assert_eq!(next(&[0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1]), Err(Error::Malformed));
        assert_eq!(next(&[0, 0, 0, 1, 0, 0xff, 0xff, 0xff]), Err(Error::TooLong));
        let mut junk = vec![0x80, 3, 0, 1, 0, 0, 0, 14];
        junk.extend([7; 14]);
        assert_eq!(next(&junk), Err(Error::Malformed));
        assert_eq!(next(&[0x80, 3, 0, 4]), Ok(None));
    }
}
