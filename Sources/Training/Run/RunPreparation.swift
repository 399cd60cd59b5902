import BuiltInRewards
import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Everything of a run that can be checked and read before a file is written.
///
/// Making one does no harm: a fault in it ends the command before the run has a folder.
public struct RunPreparation {
  /// The settings.
  public let resolved: ResolvedConfiguration
  /// Where the run will be, or is.
  public let folder: RunFolder
  let compute: Compute
  let train: Dataset
  let evaluation: Dataset?
  let supervised: [SupervisedDataset]
  let specifications: [RewardSpecification]
  /// The model, or the adapter with its base; nil where a model is randomly initialised.
  let source: ModelSource?
  /// The rollouts to train from instead of sampling.
  let recorded: RecordedSource?

  var settings: RunConfiguration { resolved.values }

  /// The columns that rewards may read: those that training rows and the rows of `eval_dataset` have, or where
  /// no training rows are read the evaluation's.
  var columns: [String] {
    guard recorded == nil else { return evaluation?.columns ?? [] }
    guard let evaluation, !settings.evalDataset.isEmpty else { return train.columns }
    return train.columns.filter(evaluation.columns.contains)
  }

  /// What `columns` are of, for messages.
  var dataName: String {
    guard recorded == nil else { return evaluation?.name ?? train.name }
    guard let evaluation, !settings.evalDataset.isEmpty else { return train.name }
    return "\(train.name) or \(evaluation.name)"
  }

  /// The rewards of the run: none where all completions are recorded with theirs and none is evaluated.
  var scoring: [RewardSpecification] {
    recorded == nil || evaluation != nil ? specifications : []
  }

  /// Starts every reward, waits until each has greeted, and ends it again.
  /// - Returns: what they are, and what a run would warn of at its start.
  /// - Throws: `RewardError` with every fault of the words and of the starts.
  public func greetRewards() throws(RewardError) -> (
    rewards: [RewardDescription], warnings: [String]
  ) {
    let suite = try RewardSuite(scoring, columns: columns, of: dataName, catalogue: .shipped)
    defer { suite.shutDown() }
    return (suite.rewards, suite.takeWarnings() + unscorableRows(by: suite))
  }

  /// The rows that a reward can't score, whatever is answered: a sentence for each reward and data set.
  func unscorableRows(by rewards: RewardSuite) -> [String] {
    [train, evaluation].compactMap(\.self).flatMap { rewards.faults(in: $0) }
  }

  /// Reads and checks what the settings name.
  /// - Throws: `DatasetError`, `RewardError`, `ModelError` and their like, each a sentence for the user.
  public init(_ resolved: ResolvedConfiguration, folder: RunFolder) throws {
    self.resolved = resolved
    self.folder = folder
    let settings = resolved.values
    source = try settings.model.map {
      try ModelSource(
        ModelLocator.locate($0, environment: ProcessInfo.processInfo.environment))
    }
    try AdapterChoice(resolved).check(source)
    recorded = try settings.rollouts.map(RecordedSource.init)
    let data = try RunData(settings)
    train = data.train
    evaluation = data.evaluation
    supervised = data.supervised
    specifications = try settings.rewardSpecifications()
    compute = settings.compute()
  }
}

/// Where recorded rollouts lie: in a log, or in a file of lines.
enum RecordedSource {
  case log(URL)
  case file(URL)

  /// A log or a file of lines where there is one of that name, otherwise a run.
  init(_ name: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: name, isDirectory: &isFolder)
    guard exists, !isFolder.boolValue else {
      self = .log(try RunFolder.find(name).log)
      return
    }
    let url = URL(fileURLWithPath: name)
    self = name.hasSuffix(RecordedRun.logSuffix) ? .log(url) : .file(url)
  }
}

/// The rows that a run learns from and is judged by.
struct RunData {
  var train: Dataset
  var evaluation: Dataset?
  var supervised: [SupervisedDataset]

  init(_ settings: RunConfiguration) throws {
    let mapping = ColumnMapping(settings.columns) ?? .identity
    var train: Dataset
    if settings.dataset.isEmpty || settings.rollouts != nil {
      train = Dataset(name: "no dataset", problems: [], contentHash: "")
    } else {
      train =
        try EmbeddedJob.dataset(settings.dataset, limit: settings.maxTrainRows)
        ?? Dataset.read(settings.dataset, mapping: mapping, limit: settings.maxTrainRows)
    }
    if let column = settings.curriculum { train = try train.ordered(byDifficulty: column) }
    if !settings.evalDataset.isEmpty {
      evaluation =
        try EmbeddedJob.dataset(settings.evalDataset, limit: settings.maxEvalRows)
        ?? Dataset.read(
          settings.evalDataset, mapping: mapping, split: .evaluation,
          limit: settings.maxEvalRows)
    } else if settings.evalFraction > 0 {
      let split = train.split(evaluationFraction: settings.evalFraction)
      train = split.train
      evaluation = split.evaluation
    }
    // A weight below 1 may leave a pass without a row.
    if settings.rollouts == nil, train.epoch.isEmpty, !settings.dataset.isEmpty {
      throw RunFolderError.nothingToTrainOn(train.name)
    }
    self.train = train
    supervised = try settings.sftDataset.map { path in
      try EmbeddedJob.supervised(path) ?? SupervisedDataset.read(reference: path, mapping: mapping)
    }
  }
}
