//! Image files that no encoder writes, byte by byte.

/// The distribution of components to scans in a JPEG file.
#[derive(Clone, Copy, PartialEq)]
pub enum Scans {
    Together,
    Apart,
}

/// A baseline JPEG file of flat blocks (ITU-T T.81). A block of colour covers `h` × `v` blocks of brightness.
pub fn jpeg(width: usize, height: usize, (h, v): (usize, usize), scans: Scans) -> Vec<u8> {
    let segment = |marker: u8, data: &[u8]| {
        let length = u16::try_from(data.len() + 2).expect("short").to_be_bytes();
        [&[0xff, marker], &length[..], data].concat()
    };
    // All Huffman codes have 8 bits: those for the lengths of DC differences, and that for the end of a block.
    let table = |kind: u8, symbols: &[u8]| {
        let counts = [0, 0, 0, 0, 0, 0, 0, symbols.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0];
        segment(0xc4, &[&[kind], &counts[..], symbols].concat())
    };
    let size = |side: usize| u16::try_from(side).expect("short").to_be_bytes();
    let sampling = (h << 4 | v) as u8;
    let frame = [&[8], &size(height)[..], &size(width), &[3, 1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0]].concat();
    let lengths: Vec<u8> = (0..12).collect();
    let tables = [segment(0xdb, &[[0].as_slice(), &[8; 64]].concat()), table(0, &lengths), table(0x10, &[0])].concat();
    let mut file = [b"\xff\xd8", &tables[..], &segment(0xc0, &frame)].concat();

    // The level of a block minus 128.
    let level = |component: usize, x: usize, y: usize| ((x * 67 + y * 131 + component * 53) * 29 % 181) as i32 - 90;
    let each = [(h, v), (1, 1), (1, 1)];
    let (across, down) = (width.div_ceil(8 * h), height.div_ceil(8 * v));
    // The components of each scan, and its blocks as component, column, row.
    let scans: Vec<(Vec<usize>, Vec<[usize; 3]>)> = match scans {
        Scans::Together => {
            let mut blocks = Vec::new();
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                for (component, (h, v)) in each.into_iter().enumerate() {
                    blocks.extend((0..v * h).map(|i| [component, x * h + i % h, y * v + i / h]));
                }
            }
            vec![(vec![0, 1, 2], blocks)]
        }
        // A separate scan has no blocks for padding of the last group.
        Scans::Apart => [0, 1, 2]
            .map(|component| {
                let (columns, rows) =
                    ((width * each[component].0).div_ceil(8 * h), (height * each[component].1).div_ceil(8 * v));
                let blocks = (0..rows).flat_map(|y| (0..columns).map(move |x| [component, x, y]));
                (vec![component], blocks.collect())
            })
            .into(),
    };
    for (components, blocks) in scans {
        let names = components.iter().flat_map(|&component| [component as u8 + 1, 0]);
        let header: Vec<u8> = std::iter::once(components.len() as u8).chain(names).chain([0, 63, 0]).collect();
        file.extend(segment(0xda, &header));
        let (mut bits, mut before) = (String::new(), [0; 3]);
        for [component, x, y] in blocks {
            let level = level(component, x, y);
            let difference = level - std::mem::replace(&mut before[component], level);
            let length = (32 - difference.unsigned_abs().leading_zeros()) as usize;
            bits += &format!("{length:08b}");
            let amplitude = if difference < 0 { difference + (1 << length) - 1 } else { difference };
            if length > 0 {
                bits += &format!("{amplitude:0length$b}");
            }
            bits += "00000000";
        }
        while bits.len() % 8 > 0 {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            let byte = u8::from_str_radix(std::str::from_utf8(byte).expect("ASCII"), 2).expect("eight bits");
            file.push(byte);
            if byte == 0xff {
                file.push(0);
            }
        }
    }
    [&file[..], b"\xff\xd9"].concat()
}

/// A JPEG file with a scan of two of its three components.
pub fn jpeg_with_a_scan_of_two() -> Vec<u8> {
    let mut file = jpeg(16, 16, (1, 1), Scans::Apart);
    let at = file.windows(4).position(|bytes| bytes == [0xff, 0xda, 0, 8]).expect("a scan");
    file.splice(at..at + 7, [0xff, 0xda, 0, 10, 2, 1, 0, 2, 0]);
    file
}

/// An uncompressed TIFF file in one strip. `extra` is the value of ExtraSamples for the fourth channel.
pub fn tiff(samples: &[[u8; 4]], width: u16, photometric: u16, extra: u16) -> Vec<u8> {
    const FIELDS: u32 = 9;
    let bits_at = 8 + 2 + 12 * FIELDS + 4;
    let height = samples.len() as u16 / width;
    let short = |value: u16| (3_u16, 1, u32::from(value));
    let fields: [(u16, (u16, u32, u32)); FIELDS as usize] = [
        (256, short(width)),
        (257, short(height)),
        (258, (3, 4, bits_at)),
        (259, short(1)),
        (262, short(photometric)),
        (273, (4, 1, bits_at + 8)),
        (277, short(4)),
        (279, (4, 1, 4 * samples.len() as u32)),
        (338, short(extra)),
    ];
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &(FIELDS as u16).to_le_bytes()].concat();
    for (tag, (kind, count, value)) in fields {
        bytes
            .extend([&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    bytes.extend([0, 0, 0, 0, 8, 0, 8, 0, 8, 0, 8, 0]);
    bytes.extend(samples.as_flattened());
    bytes
}

/// A TIFF file of one pixel in CIELab.
pub fn lab_tiff() -> Vec<u8> {
    tiff(&[[1, 2, 3, 4]], 1, 8, 0)
}
