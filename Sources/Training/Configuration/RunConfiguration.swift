import PolicyOptimization
import RewardKit
import Rollouts
import Tensors

/// Every setting of a run, flat, under TRL's names where TRL has one.
///
/// A property is a setting's name in camel case; what each means, its unit, its legal range and its
/// spellings stand once, in the table ``SettingDeclaration/all``. Defaults are TRL 1.16's but where
/// the documentation says otherwise.
public struct RunConfiguration: Sendable, Hashable {
  /// Makes the defaults.
  public init() {}

  // MARK: Run

  package var run: String?
  package var seed = 42
  package var like: String?
  package var threads: Int?
  package var precision = Precision.float32
  package var kvCacheType = KeyValueCacheType.auto
  package var memoryLimit: Int?
  package var microBatchTokens: Int?
  package var gradientCheckpointing: Bool?
  package var onNonfinite = NonfiniteResponse.stop

  // MARK: Model

  package var model: String?
  package var referenceModel: String?
  package var system: String?
  package var chatTemplate: String?
  package var chatTemplateKwargs: JSONObject = [:]
  package var continueFinalMessage = true
  package var usePeft = false
  package var loraR = 16
  package var loraAlpha = 32.0
  package var loraDropout = 0.0
  package var loraTargetModules = ["all-linear"]
  package var useRslora = false

  // MARK: Data

  package var dataset: [String] = []
  package var evalDataset: [String] = []
  package var evalFraction = 0.0
  package var columns: [String] = []
  package var shuffleDataset = true
  package var curriculum: String?
  package var promptPriority = PromptPriority.none
  package var maxTrainRows: Int?
  package var minPromptLength = 0
  package var maxPromptLength: Int?
  package var overlongPrompts = OverlongPrompts.error
  package var rollouts: String?

  // MARK: Rewards

  package var reward: [JSONValue] = []
  package var rewardTimeLimit: Double?
  package var rewardWorkers: Int?
  package var rewardFailureLimit = 0.5
  package var rewardCache = true
  package var iterationHook: String?
  package var iterationHistory = 0.1
  package var sandbox: Sandbox?

  // MARK: Length of the run

  package var maxSteps: Int?
  package var numTrainEpochs = 3.0
  package var promptsPerStep = 8
  package var numGenerations = 8
  package var updatesPerRollout = 1
  package var dynamicSampling = false
  package var dynamicSamplingLimit = 10

  // MARK: Sampling

  package var maxCompletionLength = 512
  package var minNewTokens = 0
  package var temperature = 1.0
  package var topP = 1.0
  package var topK = 0
  package var minP = 0.0
  package var stop: [String] = []

  // MARK: Objective

  /// Every convention of the arithmetic, under PolicyOptimization's own names.
  package var objective = ObjectiveSettings()

  // MARK: Optimiser

  package var learningRate = 1e-6
  package var lrSchedulerType = LearningRateSchedule.linear
  package var warmupSteps = 0
  package var adamBeta1 = 0.9
  package var adamBeta2 = 0.999
  package var adamEpsilon = 1e-8
  package var weightDecay = 0.0
  package var weightDecayExempt = WeightDecayExemption.normsAndBiases
  package var maxGradNorm = 1.0
  package var lossScale = 65_536.0
  package var lossScaleGrowthInterval = 2000
  package var lossScaleFactor = 2.0
  package var parameterGroups: [ParameterGroup] = []

  // MARK: Supervised stage

  package var sftDataset: [String] = []
  package var sftSteps: Int?
  package var sftStopAt: Double?
  package var sftEpochs = 1.0
  package var sftBatchSize = 32
  package var sftLearningRate = 5e-5
  package var sftLrSchedulerType = LearningRateSchedule.linear
  package var sftWarmupSteps = 0
  package var sftMaxLength = 1024

  // MARK: Evaluation

  package var evalSteps: Int?
  package var evalOnStart = true
  package var numGenerationsEval: Int?
  package var evalTemperature: Double?
  package var evalTopP = 1.0
  package var maxEvalRows: Int?

  // MARK: Checkpoints and logging

  package var saveSteps = 500
  package var saveTotalLimit: Int?
  package var metricForBestModel: String?
  package var greaterIsBetter = true
  package var saveDtype = SaveFormat.float32
  package var loggingSteps = 10
  package var numCompletionsToPrint = 4
  package var tensorboard = true
}

/// What becomes of a prompt longer than `max_prompt_length` or the context.
public enum OverlongPrompts: String, Sendable, CaseIterable {
  /// The run is refused, naming the row.
  case error
  /// The row is left out, and counted.
  case skip
  /// The prompt keeps its last tokens.
  case truncateLeft = "truncate_left"
}

/// Which rows are drawn more often.
public enum PromptPriority: String, Sendable, CaseIterable {
  /// None: each row once an epoch.
  case none
  /// Those that about half of the completions solve.
  case solveRate = "solve_rate"
}

/// What becomes of a step whose loss, gradient or log-probability isn't finite.
public enum NonfiniteResponse: String, Sendable, CaseIterable {
  /// The run stops, naming the trajectory.
  case stop
  /// The update is left out, and counted.
  case skip
}

/// Which parameters do not decay.
public enum WeightDecayExemption: String, Sendable, CaseIterable {
  /// Norms and biases, as in transformers' and TRL's trainers.
  case normsAndBiases = "norms_and_biases"
  /// Nothing: every trained parameter decays.
  case none
}

/// How the learning rate moves over the optimiser updates, after `warmup_steps` of rising from 0.
public enum LearningRateSchedule: String, Sendable, CaseIterable {
  /// The rate throughout.
  case constant
  /// The same, under transformers' name for a constant rate that has a warm-up.
  case constantWithWarmup = "constant_with_warmup"
  /// Down linearly to 0 at the last update.
  case linear
  /// Down half a cosine to 0 at the last update.
  case cosine
}

/// How keys and values are held.
public enum KeyValueCacheType: String, Sendable, CaseIterable {
  /// As the precision rounds them.
  case auto
  case float32
  case bf16
  case fp16
}

/// In what format trained weights are written.
public enum SaveFormat: String, Sendable, CaseIterable {
  case float32
  case bfloat16
  case float16
}
