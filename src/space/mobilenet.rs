//! Networks of inverted residual blocks like MobileNetV2, as a part of a space.
//!
//! Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018) give the stages;
//! Cai et al., "ProxylessNAS" (ICLR 2019) and "Once-for-All" (ICLR 2020) search the number of
//! blocks in each, and the kernel and expansion of each block.

use std::fmt;

use rand::RngCore;

use super::params::{Content, Draft, Mixed, MixedError, Rule, RuleError};
use super::{Choice, Domain, Illegal, Value};

/// An inverted residual block: a 1x1 expansion, a depthwise convolution, and a 1x1 projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Height and width of the depthwise kernel.
    pub kernel: usize,
    /// Channels of the depthwise convolution per input channel; 1 for a block without an expansion.
    pub expansion: usize,
}

/// Consecutive blocks with the same number of output channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Output channels at width 1.
    pub channels: usize,
    /// The stride of the first block; the others have 1.
    pub stride: usize,
    /// The blocks.
    pub blocks: Vec<Block>,
}

/// A network: a width and the blocks of each stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Mobilenet {
    /// The multiplier of the channels of all stages.
    pub width: f64,
    /// The stages.
    pub stages: Vec<Stage>,
}

/// The stages of MobileNetV2 (table 2): channels, stride, and number of blocks.
const V2: [(usize, usize, usize); 7] =
    [(16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1)];

impl Mobilenet {
    /// MobileNetV2 of the given width: 3x3 kernels, and expansion by 6 in all stages but the first.
    pub fn v2(width: f64) -> Self {
        let stage = |(index, (channels, stride, depth)): (usize, (usize, usize, usize))| {
            let block = Block { kernel: 3, expansion: if index == 0 { 1 } else { 6 } };
            Stage { channels, stride, blocks: vec![block; depth] }
        };
        Self { width, stages: V2.into_iter().enumerate().map(stage).collect() }
    }
}

impl fmt::Display for Mobilenet {
    /// Writes the width and each stage's blocks: `w1 e1k3 | e6k3 e6k5 | e3k7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.width)?;
        for (index, stage) in self.stages.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " |" })?;
            for Block { kernel, expansion } in &stage.blocks {
                write!(f, " e{expansion}k{kernel}")?;
            }
        }
        Ok(())
    }
}

/// The choices of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageChoices {
    /// Output channels at width 1.
    pub channels: usize,
    /// The stride of the first block.
    pub stride: usize,
    /// The allowed numbers of blocks.
    pub depths: Vec<usize>,
    /// The allowed kernels of each block.
    pub kernels: Vec<usize>,
    /// The allowed expansions of each block.
    pub expansions: Vec<usize>,
}

impl StageChoices {
    /// The stages of MobileNetV2 with the given choices; the first stage is fixed, and the last has a single
    /// block.
    pub fn v2(depths: &[usize], kernels: &[usize], expansions: &[usize]) -> Vec<Self> {
        let stage = |(index, (channels, stride, _))| {
            let (depths, kernels, expansions) = match index {
                0 => (&[1][..], &[3][..], &[1][..]),
                6 => (&[1][..], kernels, expansions),
                _ => (depths, kernels, expansions),
            };
            let list = |values: &[usize]| values.to_vec();
            let (depths, kernels, expansions) = (list(depths), list(kernels), list(expansions));
            Self { channels, stride, depths, kernels, expansions }
        };
        V2.into_iter().enumerate().map(stage).collect()
    }
}

/// Reasons that a space of such networks cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MobilenetError {
    /// A space without stages.
    #[error("there are no stages; there is at least one")]
    NoStages,
    /// A width out of range.
    #[error("a width is {0}; it must be from 0.01 to 100")]
    Width(f64),
    /// A size out of range.
    #[error("{what} of stage {stage} is {value}; it must be {expected}")]
    Size {
        /// The name of the size.
        what: &'static str,
        /// The stage, counted from 1.
        stage: usize,
        /// The size.
        value: usize,
        /// The allowed range.
        expected: &'static str,
    },
    /// A choice without options, or one that lists an option twice.
    #[error(transparent)]
    Choices(#[from] MixedError),
}

/// The space of networks with the given widths and the given choices for each stage.
///
/// The choices of blocks beyond a stage's depth are undecided. Lists with a single value make no choice.
#[derive(Clone, Debug)]
pub struct MobilenetSpace {
    widths: Vec<f64>,
    stages: Vec<StageChoices>,
    mixed: Mixed,
}

impl MobilenetSpace {
    /// Creates the space.
    ///
    /// # Errors
    /// Returns an error for a size out of range, no options, or an option that is listed twice.
    pub fn new(widths: Vec<f64>, stages: Vec<StageChoices>) -> Result<Self, MobilenetError> {
        if stages.is_empty() {
            return Err(MobilenetError::NoStages);
        }
        if let Some(&width) = widths.iter().find(|width| !(0.01..=100.0).contains(*width)) {
            return Err(MobilenetError::Width(width));
        }
        let mut draft = Draft::default();
        choose(&mut draft, "width", widths.iter().map(|&width| Value::Float(width)).collect())?;
        for (number, stage) in (1..).zip(&stages) {
            check(number, stage)?;
            let part = stage_part(stage)?;
            if !part.choices().is_empty() {
                draft.add(&format!("stage{number}"), Content::Part(part))?;
            }
        }
        Ok(Self { widths, stages, mixed: draft.finish()? })
    }

    /// The network that a legal combination stands for.
    ///
    /// # Panics
    /// If an option does not exist.
    pub fn model(&self, options: &[u16]) -> Mobilenet {
        let mut rest = options.iter();
        let width = pick(&self.widths, &mut rest);
        let stage = |stage: &StageChoices| {
            let depth = pick(&stage.depths, &mut rest);
            let all = stage.depths.iter().copied().max().unwrap_or(0);
            let mut block = |_| {
                let kernel = pick(&stage.kernels, &mut rest);
                Block { kernel, expansion: pick(&stage.expansions, &mut rest) }
            };
            let mut blocks: Vec<Block> = (0..all).map(&mut block).collect();
            blocks.truncate(depth);
            Stage { channels: stage.channels, stride: stage.stride, blocks }
        };
        Mobilenet { width, stages: self.stages.iter().map(stage).collect() }
    }

    /// The options of a network with the given width and blocks of each stage.
    fn options(&self, width: f64, stages: &[Vec<Block>]) -> Result<Vec<u16>, Illegal> {
        let (given, expected) = (stages.len(), self.stages.len());
        if given != expected {
            return Err(Illegal(format!("the text has {given} stages; there are {expected}")));
        }
        let mut options = Vec::with_capacity(self.choices().len());
        place("width", &self.widths, width, &mut options)?;
        for (number, (stage, blocks)) in (1..).zip(self.stages.iter().zip(stages)) {
            let what = |what: &str| format!("{what} of stage {number}");
            place(&what("depth"), &stage.depths, blocks.len(), &mut options)?;
            for block in blocks {
                place(&what("kernel"), &stage.kernels, block.kernel, &mut options)?;
                place(&what("expansion"), &stage.expansions, block.expansion, &mut options)?;
            }
            let all = stage.depths.iter().copied().max().unwrap_or(0);
            let lists = [&stage.kernels, &stage.expansions];
            let each = lists.into_iter().filter(|list| list.len() > 1).count();
            options.resize(options.len() + (all - blocks.len()) * each, 0);
        }
        Ok(options)
    }
}

/// Adds a choice, unless it has a single value.
fn choose(draft: &mut Draft, name: &str, values: Vec<Value>) -> Result<(), MixedError> {
    if values.len() == 1 { Ok(()) } else { draft.choose(name, values) }
}

fn check(number: usize, stage: &StageChoices) -> Result<(), MobilenetError> {
    let sizes = |what, values: &[usize], is: fn(usize) -> bool, expected| {
        let wrong = values.iter().copied().find(|&value| !is(value));
        wrong.map_or(Ok(()), |value| {
            Err(MobilenetError::Size { what, stage: number, value, expected })
        })
    };
    sizes("channels", &[stage.channels], |n| (1..=100_000).contains(&n), "from 1 to 100,000")?;
    sizes("stride", &[stage.stride], |n| (1..=16).contains(&n), "from 1 to 16")?;
    sizes("depth", &stage.depths, |n| (1..=64).contains(&n), "from 1 to 64")?;
    sizes("kernel", &stage.kernels, |n| n % 2 == 1 && n < 64, "odd and below 64")?;
    sizes("expansion", &stage.expansions, |n| (1..=64).contains(&n), "from 1 to 64")
}

/// The choices of a stage: its depth, and kernel and expansion of each block up to the depth.
fn stage_part(stage: &StageChoices) -> Result<Draft, MixedError> {
    let ints = |list: &[usize]| list.iter().map(|&size| Value::Int(size as i64)).collect();
    let mut part = Draft::default();
    choose(&mut part, "depth", ints(&stage.depths))?;
    for block in 0..stage.depths.iter().copied().max().unwrap_or(0) {
        let mut own = Draft::default();
        choose(&mut own, "kernel", ints(&stage.kernels))?;
        choose(&mut own, "expansion", ints(&stage.expansions))?;
        if own.choices().is_empty() {
            continue;
        }
        let name = format!("block{}", block + 1);
        part.add(&name, Content::Part(own))?;
        if stage.depths.iter().any(|&depth| depth <= block) {
            let is_there = Rule::of(&part.sizes(), |trail| {
                Ok::<_, MixedError>(stage.depths[usize::from(trail.option(0))] > block)
            });
            part.when(is_there.map_err(|error| match error {
                RuleError::Failed(error) => error,
                RuleError::TooLarge => MixedError::TooLarge,
            })?)?;
        }
    }
    Ok(part)
}

/// The value of the next option; of a list with a single value, that value.
fn pick<'o, T: Copy>(values: &[T], rest: &mut impl Iterator<Item = &'o u16>) -> T {
    if values.len() == 1 {
        return values[0];
    }
    values[rest.next().map_or(0, |&option| usize::from(option))]
}

/// Adds the option of a value, unless it is the only one.
fn place<T: PartialEq + fmt::Display>(
    what: &str,
    values: &[T],
    value: T,
    options: &mut Vec<u16>,
) -> Result<(), Illegal> {
    let Some(place) = values.iter().position(|known| *known == value) else {
        let known: Vec<String> = values.iter().map(T::to_string).collect();
        return Err(Illegal(format!("{what} is {value}; it can be {}", known.join(", "))));
    };
    if values.len() > 1 {
        options.push(place as u16);
    }
    Ok(())
}

impl Domain for MobilenetSpace {
    fn kind(&self) -> &'static str {
        "mobilenet"
    }

    fn choices(&self) -> &[Choice] {
        self.mixed.choices()
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        self.mixed.check(options)
    }

    fn count(&self) -> u128 {
        self.mixed.count()
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        self.mixed.nth(number)
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.model(options).to_string()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let form = |word: &str| {
            let example = "w1 e1k3 | e6k3 e6k5 | e3k7";
            Illegal(format!("`{word}` does not fit; a network is written like `{example}`"))
        };
        let (first, rest) = text.trim().split_once(' ').ok_or_else(|| form(text))?;
        let width = first.strip_prefix('w').and_then(|width| width.parse().ok());
        let width = width.ok_or_else(|| form(first))?;
        let block = |word: &str| {
            let (expansion, kernel) = word.strip_prefix('e')?.split_once('k')?;
            Some(Block { kernel: kernel.parse().ok()?, expansion: expansion.parse().ok()? })
        };
        let blocks = |stage: &str| {
            stage.split_whitespace().map(|word| block(word).ok_or_else(|| form(word))).collect()
        };
        let stages: Vec<Vec<Block>> = rest.split('|').map(blocks).collect::<Result<_, _>>()?;
        self.options(width, &stages)
    }

    fn canonicalize(&self, options: &mut [u16]) {
        self.mixed.canonicalize(options);
    }

    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        self.mixed.draw(rng)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    use super::*;
    use crate::space::domain::tests::numbered;

    fn space() -> MobilenetSpace {
        let stages = StageChoices::v2(&[2, 3, 4], &[3, 5, 7], &[3, 4, 6]);
        MobilenetSpace::new(vec![0.5, 0.75, 1.0, 1.4], stages).unwrap()
    }

    #[test]
    fn mobilenet_v2_is_a_point_of_the_space() {
        let space = space();
        let stage: u128 = 9u128.pow(2) + 9u128.pow(3) + 9u128.pow(4);
        assert_eq!(space.count(), 4 * stage.pow(5) * 9);
        let text = "w1 e1k3 | e6k3 e6k3 | e6k3 e6k3 e6k3 | e6k3 e6k3 e6k3 e6k3 | e6k3 e6k3 e6k3 | \
                    e6k3 e6k3 e6k3 | e6k3";
        assert_eq!(Mobilenet::v2(1.0).to_string(), text);
        let options = space.parse(text).unwrap();
        assert_eq!(space.check(&options), Ok(()));
        assert_eq!(space.model(&options), Mobilenet::v2(1.0));
        let names: Vec<&str> = space.choices().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), 1 + 5 * (1 + 4 * 2) + 2);
        assert_eq!(names[..3], ["width", "stage2.depth", "stage2.block1.kernel"]);
        assert_eq!(names[names.len() - 1], "stage7.block1.expansion");
        assert!(space.choices().iter().all(|choice| choice.ordered));
    }

    #[test]
    fn points_survive_their_texts() {
        let space = space();
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        for _ in 0..200 {
            let options = space.draw(&mut rng).unwrap();
            assert_eq!(space.check(&options), Ok(()));
            assert_eq!(space.parse(&space.canonical(&options)), Ok(options));
        }
        let refusal = |text: &str| space.parse(text).unwrap_err().0;
        assert_eq!(
            refusal("w1"),
            "`w1` does not fit; a network is written like `w1 e1k3 | e6k3 e6k5 | e3k7`"
        );
        assert_eq!(refusal("w1 e1k3"), "the text has 1 stages; there are 7");
        assert_eq!(refusal("w2 e1k3 | | | | | |"), "width is 2; it can be 0.5, 0.75, 1, 1.4");
        assert_eq!(refusal("w1 e1k3 | e6k3 | | | | |"), "depth of stage 2 is 1; it can be 2, 3, 4");
        assert_eq!(refusal("w1 e1k5 | e6k3 e6k3 | | | | |"), "kernel of stage 1 is 5; it can be 3");
    }

    #[test]
    fn few_choices_are_counted_as_by_hand() {
        let stage = |depths: &[usize], kernels: &[usize]| StageChoices {
            channels: 8,
            stride: 1,
            depths: depths.to_vec(),
            kernels: kernels.to_vec(),
            expansions: vec![2],
        };
        let make = |stages| MobilenetSpace::new(vec![1.0], stages);
        let space = make(vec![stage(&[3, 1], &[3, 5]), stage(&[1, 2], &[3])]).unwrap();
        assert_eq!(space.count(), (8 + 2) * 2);
        assert_eq!(numbered(&space).len(), 20);
        assert_eq!(space.choices().len(), 1 + 3 + 1);
        let text = "w1 e2k5 | e2k3 e2k3";
        assert_eq!(space.parse(text), Ok(vec![1, 1, 0, 0, 1]));
        assert_eq!(space.canonical(&[1, 1, 0, 0, 1]), text);
        let refusal = |stages| make(stages).unwrap_err().to_string();
        assert_eq!(refusal(vec![]), "there are no stages; there is at least one");
        assert_eq!(
            refusal(vec![stage(&[0], &[3])]),
            "depth of stage 1 is 0; it must be from 1 to 64"
        );
        assert_eq!(
            refusal(vec![stage(&[1], &[3]), stage(&[1], &[4])]),
            "kernel of stage 2 is 4; it must be odd and below 64"
        );
        assert_eq!(refusal(vec![stage(&[1], &[3, 3])]), "choice `kernel` lists 3 twice");
    }
}
