//! What TensorBoard's HParams table reads of a run: which hyperparameters and figures there are, the values
//! of this run, and how it ended. Each is a summary without a value, whose metadata carry the message.
//!
//! Messages (tensorboard/plugins/hparams/plugin_data.proto and api.proto,
//! tensorboard/compat/proto/summary.proto): `Value { string tag = 1; TensorProto tensor = 8;
//! SummaryMetadata metadata = 9 }`, `SummaryMetadata { PluginData plugin_data = 1 }`, `PluginData { string
//! plugin_name = 1; bytes content = 2 }`, `HParamsPluginData { Experiment experiment = 2; SessionStartInfo
//! session_start_info = 3; SessionEndInfo session_end_info = 4 }`, `Experiment { string description = 1;
//! double time_created_secs = 3; repeated HParamInfo hparam_infos = 4; repeated MetricInfo metric_infos = 5
//! }`, `HParamInfo { string name = 1; string description = 3; DataType type = 4 }`, `MetricInfo {
//! MetricName name = 1; string display_name = 3; DatasetType dataset_type = 5 }`, `MetricName { string tag
//! = 2 }`, `SessionStartInfo { map<string, google.protobuf.Value> hparams = 1; double start_time_secs = 5
//! }`, `SessionEndInfo { Status status = 1; double end_time_secs = 2 }`, `google.protobuf.Value { double
//! number_value = 2; string string_value = 3; bool bool_value = 4 }`.

use super::{EVENT_FILES, EventWriter, WIRE_FIXED64, WIRE_VARINT, bytes_field, now, tag, varint};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

const EXPERIMENT: &str = "_hparams_/experiment";
const SESSION_START: &str = "_hparams_/session_start_info";
const SESSION_END: &str = "_hparams_/session_end_info";

/// A tensor of no values: element type f32, one axis of length 0.
const NO_VALUES: [u8; 6] = [0x08, 1, 0x12, 2, 0x12, 0];

/// `DatasetType` of figures of a validation.
const OF_VALIDATION: u64 = 2;

/// The value of a hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Flag(bool),
    Number(f64),
}

/// A hyperparameter of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Hparam {
    pub name: String,
    /// A sentence on what it is.
    pub description: String,
    pub value: Value,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Success = 1,
    Failure = 2,
}

impl EventWriter {
    /// Says which hyperparameters there are, and which curves the table shows the last points of.
    pub fn experiment(&mut self, hparams: &[Hparam], metrics: &[String]) -> io::Result<()> {
        let mut message = Vec::new();
        number_field(&mut message, 3, now());
        for hparam in hparams {
            let mut info = Vec::new();
            bytes_field(&mut info, 1, hparam.name.as_bytes());
            bytes_field(&mut info, 3, hparam.description.as_bytes());
            varint(&mut info, tag(4, WIRE_VARINT));
            varint(
                &mut info,
                match hparam.value {
                    Value::Text(_) => 1,
                    Value::Flag(_) => 2,
                    Value::Number(_) => 3,
                },
            );
            bytes_field(&mut message, 4, &info);
        }
        for metric in metrics {
            let (mut name, mut info) = (Vec::new(), Vec::new());
            bytes_field(&mut name, 2, metric.as_bytes());
            bytes_field(&mut info, 1, &name);
            bytes_field(&mut info, 3, metric.as_bytes());
            varint(&mut info, tag(5, WIRE_VARINT));
            varint(&mut info, OF_VALIDATION);
            bytes_field(&mut message, 5, &info);
        }
        self.hparams(EXPERIMENT, 2, &message)
    }

    /// Says the run's hyperparameters.
    pub fn session_start(&mut self, hparams: &[Hparam]) -> io::Result<()> {
        let mut message = Vec::new();
        for hparam in hparams {
            let (mut value, mut entry) = (Vec::new(), Vec::new());
            match &hparam.value {
                Value::Number(number) => number_field(&mut value, 2, *number),
                Value::Text(text) => bytes_field(&mut value, 3, text.as_bytes()),
                Value::Flag(flag) => {
                    varint(&mut value, tag(4, WIRE_VARINT));
                    varint(&mut value, u64::from(*flag));
                }
            }
            bytes_field(&mut entry, 1, hparam.name.as_bytes());
            bytes_field(&mut entry, 2, &value);
            bytes_field(&mut message, 1, &entry);
        }
        number_field(&mut message, 5, now());
        self.hparams(SESSION_START, 3, &message)
    }

    /// Says how the run ended.
    pub fn session_end(&mut self, status: Status) -> io::Result<()> {
        let mut message = Vec::new();
        varint(&mut message, tag(1, WIRE_VARINT));
        varint(&mut message, status as u64);
        number_field(&mut message, 2, now());
        self.hparams(SESSION_END, 4, &message)
    }

    /// Adds a summary without a value that carries `message` as this field of `HParamsPluginData`.
    fn hparams(&mut self, name: &str, field: u64, message: &[u8]) -> io::Result<()> {
        let (mut content, mut plugin, mut metadata) = (Vec::new(), Vec::new(), Vec::new());
        bytes_field(&mut content, field, message);
        bytes_field(&mut plugin, 1, b"hparams");
        bytes_field(&mut plugin, 2, &content);
        bytes_field(&mut metadata, 1, &plugin);
        let mut value = Vec::new();
        bytes_field(&mut value, 1, name.as_bytes());
        bytes_field(&mut value, 8, &NO_VALUES);
        bytes_field(&mut value, 9, &metadata);
        self.event(now(), 0, |event| {
            let mut summary = Vec::new();
            bytes_field(&mut summary, 1, &value);
            bytes_field(event, 5, &summary);
        })
    }
}

/// Cuts off the end of the session that the file at `path` closes with: TensorBoard believes the first end
/// that it meets, and the run goes on. A file that ends otherwise, or is none of events, stays as it is.
pub fn cut_session_end(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(EVENT_FILES) {
        return Ok(());
    }
    let mut file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    // A frame: eight bytes of length, four of checksum, the message, four of checksum.
    let (mut at, mut last) = (0, None);
    while at + 12 <= length {
        let mut bytes = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)?;
        let message = u64::from_le_bytes(bytes);
        let Some(end) = message.checked_add(at + 16).filter(|end| *end <= length) else { return Ok(()) };
        last = Some((at, message));
        at = end;
    }
    // The end of a session is a short message.
    let Some((start, message)) = last.filter(|(_, message)| *message < 1000) else { return Ok(()) };
    let mut bytes = vec![0; message as usize];
    file.seek(SeekFrom::Start(start + 12))?;
    file.read_exact(&mut bytes)?;
    if bytes.windows(SESSION_END.len()).any(|window| window == SESSION_END.as_bytes()) {
        file.set_len(start)?;
    }
    Ok(())
}

fn number_field(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, tag(field, WIRE_FIXED64));
    out.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_session_is_cut_off_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), None).unwrap();
        writer.scalars(1, &[("loss".into(), 2.5)]).unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let before = std::fs::read(&path).unwrap();
        cut_session_end(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before, "there was none");
        writer.session_end(Status::Failure).unwrap();
        assert!(std::fs::read(&path).unwrap().len() > before.len());
        cut_session_end(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        // A torn frame, or no frame at all, is left to those who read it.
        for torn in [&before[..before.len() - 1], b"no events", b""] {
            std::fs::write(&path, torn).unwrap();
            cut_session_end(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), torn);
        }
    }
}
