//! What the driver and its peers say to each other about the parts of messages: text without blanks.
//!
//! To send: `=6162` stands for the bytes `ab`, `70000:3` for 70,000 bytes of pattern 3. What was received is reported as `=6162` if it is
//! short, and otherwise by its length and a checksum, so that 8 MiB don't have to travel once more to be compared.

/// Parts up to this length are reported byte by byte.
const SHORT: usize = 64;

/// A part of a message, as the driver thinks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// These bytes.
    Literal(Vec<u8>),
    /// That many bytes of the pattern with that number.
    Pattern(usize, u64),
}

impl Frame {
    /// These bytes.
    pub fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Literal(bytes.into())
    }

    /// Reads what [`Frame::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(hex) = text.strip_prefix('=') {
            let digits: Option<Vec<u8>> =
                (0..hex.len() / 2).map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()).collect();
            return digits.map(Self::Literal);
        }
        let (size, seed) = text.split_once(':')?;
        Some(Self::Pattern(size.parse().ok()?, seed.parse().ok()?))
    }

    /// How a peer is told to send it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Literal(bytes) => hex(bytes),
            Self::Pattern(size, seed) => format!("{size}:{seed}"),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Literal(bytes) => bytes.clone(),
            Self::Pattern(size, seed) => {
                let mut bytes = Vec::with_capacity(size + 8);
                let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                while bytes.len() < *size {
                    bytes.extend_from_slice(&word.to_le_bytes());
                    word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                }
                bytes.truncate(*size);
                bytes
            }
        }
    }

    /// How a peer reports that it has received it.
    pub fn report(&self) -> String {
        report(&self.bytes())
    }
}

/// How the receipt of these bytes is reported.
pub fn report(bytes: &[u8]) -> String {
    if bytes.len() <= SHORT { hex(bytes) } else { format!("{}#{:016x}", bytes.len(), checksum(bytes)) }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("={digits}")
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    for byte in rest {
        sum = (sum.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    sum
}
