//! Runs of the program on a pseudo-terminal.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Runs a program with its output and errors on a terminal with `columns` columns; returns its exit code and
/// all that it wrote, control sequences included.
pub fn on_terminal(mut command: Command, columns: u16) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&slave, size).unwrap();
    command.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave));
    command.env("TERM", "xterm");
    let mut child = command.spawn().unwrap();
    // The terminal ends when nobody holds its other side.
    drop(command);
    let (mut master, mut written, mut buffer) = (File::from(master), Vec::new(), [0; 4096]);
    loop {
        match master.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => written.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    (code, String::from_utf8_lossy(&written).into_owned())
}

/// Returns the lines written to a terminal with `columns` columns, which wraps longer ones; without control
/// sequences.
pub fn plain_lines(written: &str, columns: u16) -> Vec<String> {
    let mut plain = String::new();
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => drop(letters.by_ref().find(|letter| letter.is_ascii_alphabetic())),
            '\r' => plain.push('\n'),
            letter => plain.push(letter),
        }
    }
    let full = |line: &str| -> Vec<String> {
        let letters: Vec<char> = line.chars().collect();
        letters.chunks(usize::from(columns)).map(|row| row.iter().collect::<String>()).collect()
    };
    let rows = plain.lines().flat_map(full).map(|row| row.trim_end().to_owned());
    rows.filter(|row| !row.is_empty()).collect()
}
