//! What the keys must fulfil together.

use super::schema;
use super::{Augmentation, BestBy, Config, ConfigError, OptimizerKind, ScheduleKind};

impl Config {
    /// Checks every range and every combination; the first fault in the order of the file.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// The faults that [`Self::validate`] gives the first of: every range, and of each section's combinations
    /// the first.
    pub fn faults(&self) -> Vec<ConfigError> {
        let table = self.to_table();
        let keys = schema::fields().iter().filter_map(|field| {
            let value = super::access::value_at(&table, field.path)?;
            super::parse::checked(field, value.clone()).err()
        });
        let sections =
            [Self::validate_run, Self::validate_data, Self::validate_method, Self::validate_training];
        keys.chain(sections.iter().filter_map(|check| check(self).err())).collect()
    }

    fn validate_run(&self) -> Result<(), ConfigError> {
        let run = &self.run;
        if run.name.trim().is_empty() || run.name.contains(['/', '\\', '\0']) || run.name.starts_with('.') {
            return fault(
                "run.name",
                format!(
                    "`run.name` is \"{}\"; expected a folder's name without slashes or a leading dot",
                    run.name
                ),
            );
        }
        if !run.batch_size.is_multiple_of(run.accumulate) {
            return fault(
                "run.accumulate",
                format!(
                    "`run.accumulate` is {}, which does not divide `run.batch_size` = {}; expected a divisor",
                    run.accumulate, run.batch_size
                ),
            );
        }
        if self.eval.best == BestBy::AttackedTop1 && self.eval.attack.is_empty() {
            return fault(
                "eval.best",
                "`eval.best` is \"attacked_top1\", but `eval.attack` is empty; expected an attack there",
            );
        }
        Ok(())
    }

    fn validate_data(&self) -> Result<(), ConfigError> {
        let data = &self.data;
        if data.source.needs_path() && data.path.is_empty() {
            return fault(
                "data.path",
                "`data.path` is empty; expected the folder of the data set (only `data.source` = \"shapes\" needs none)",
            );
        }
        if !data.source.needs_path() && !data.path.is_empty() {
            return fault(
                "data.path",
                "`data.path` is given, but `data.source` = \"shapes\" is made by the program; expected \"\" or another source",
            );
        }
        let pairs = [
            (Augmentation::Crop, Augmentation::Inception, "`crop` and `inception`"),
            (Augmentation::Autoaugment, Augmentation::Randaugment, "`autoaugment` and `randaugment`"),
        ];
        for (a, b, names) in pairs {
            if data.augment.contains(&a) && data.augment.contains(&b) {
                return fault(
                    "data.augment",
                    format!("`data.augment` names {names}; expected at most one of them"),
                );
            }
        }
        if data.balanced && !data.shuffle {
            return fault(
                "data.balanced",
                "`data.balanced` is true, but `data.shuffle` = false asks for sorted order; expected one of the two",
            );
        }
        if data.train_limit > 0 && data.train_limit < self.run.batch_size {
            return fault(
                "data.train_limit",
                format!(
                    "`data.train_limit` is {}; expected 0 or at least `run.batch_size` = {}",
                    data.train_limit, self.run.batch_size
                ),
            );
        }
        Ok(())
    }

    fn validate_training(&self) -> Result<(), ConfigError> {
        if self.model.classes == 1 {
            return fault(
                "model.classes",
                "`model.classes` is 1; expected 0 (as the data has) or at least 2",
            );
        }
        let optimizer = &self.optimizer;
        if optimizer.nesterov && (optimizer.kind != OptimizerKind::Sgd || optimizer.momentum == 0.0) {
            return fault(
                "optimizer.nesterov",
                "`optimizer.nesterov` is true; expected that only with `optimizer.kind` = \"sgd\" and a momentum above 0",
            );
        }
        let milestones = &self.schedule.milestones;
        if milestones.windows(2).any(|w| w[0] >= w[1]) {
            return fault(
                "schedule.milestones",
                "`schedule.milestones` must rise; expected such as [90, 180, 220]",
            );
        }
        if self.schedule.kind == ScheduleKind::Step && milestones.is_empty() {
            return fault(
                "schedule.milestones",
                "`schedule.milestones` is empty; `schedule.kind` = \"step\" expects at least one epoch",
            );
        }
        Ok(())
    }
}

pub(super) fn fault(key: &str, message: impl Into<String>) -> Result<(), ConfigError> {
    Err(ConfigError::new(key, message))
}
