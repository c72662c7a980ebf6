# Reference values from base R, printed as JSON:
#   Rscript --vanilla tests/data/r_reference.R > tests/data/r_reference.json
# Inputs are literals; inputs and outputs both go into the file, with 17 significant digits.

json <- function(x) {
  if (is.list(x)) {
    parts <- vapply(x, json, "")
    if (is.null(names(x))) return(paste0("[\n", paste(parts, collapse = ",\n"), "\n]"))
    return(paste0("{", paste0('"', names(x), '": ', parts, collapse = ", "), "}"))
  }
  if (inherits(x, "AsIs")) return(paste0("[", paste(vapply(unclass(x), json, ""), collapse = ", "), "]"))
  if (is.character(x)) return(paste0('"', x, '"'))
  if (is.finite(x)) sprintf("%.17g", x) else "null"
}

samples <- list(
  three_a = c(0.98, 1.07, 1.12),
  three_b = c(1.21, 1.16, 1.35),
  tied_a = c(1.0, 1.1, 1.1, 1.2, 1.0),
  tied_b = c(1.1, 1.1, 1.3, 1.3, 1.3),
  thirty_a = c(
    1.102, 1.151, 1.112, 0.942, 0.909, 1.025, 1.089, 1.061, 1.165, 1.080, 1.071, 0.961, 0.931, 1.139, 1.024,
    1.085, 0.910, 0.985, 0.917, 0.958, 1.092, 0.902, 0.977, 1.033, 0.967, 1.000, 1.002, 1.053, 0.985, 1.042
  ),
  thirty_b = c(
    1.077, 1.121, 1.097, 1.269, 0.990, 1.214, 1.022, 0.955, 1.215, 1.017, 1.023, 0.903, 0.818, 1.146, 0.930,
    1.163, 1.292, 1.056, 0.935, 1.117, 1.161, 1.039, 1.072, 1.230, 1.222, 1.155, 0.966, 1.064, 1.142, 1.045
  ),
  wide = c(0.551, 0.411, 0.531, 0.496, 0.694, 2.131, 0.379, 1.898, 1.476, 1.226, 0.355, 0.689),
  narrow = c(
    1.0197, 1.0010, 1.0054, 1.0066, 1.0106, 0.9976, 0.9939, 0.9994, 0.9974, 1.0079, 1.0019, 1.0024, 1.0015, 1.0123,
    0.9946, 0.9952, 1.0089, 0.9989, 1.0036, 0.9927, 1.0002, 1.0043, 0.9867, 0.9931, 1.0042, 1.0225, 1.0046, 0.9994,
    0.9915, 1.0039
  )
)
samples$far <- samples$thirty_b + 1

pairs <- list(
  c("three_a", "three_b"), c("tied_a", "tied_b"), c("thirty_a", "thirty_b"), c("thirty_a", "far"),
  c("tied_b", "thirty_a"), c("wide", "narrow"), c("narrow", "wide")
)
levels <- c(0.9, 0.95, 1 - 0.05 / 4, 0.99, 1 - 0.05 / 25)

t_tests <- list()
for (pair in pairs) {
  first <- samples[[pair[1]]]
  second <- samples[[pair[2]]]
  kinds <- if (length(first) == length(second)) c("paired", "welch", "pooled") else c("welch", "pooled")
  for (kind in kinds) for (alternative in c("two.sided", "less", "greater")) {
    run <- function(level) {
      t.test(first, second, alternative = alternative, paired = kind == "paired", var.equal = kind == "pooled",
             conf.level = level)
    }
    found <- run(0.95)
    ends <- vapply(levels, function(level) as.numeric(run(level)$conf.int), c(0, 0))
    estimate <- if (kind == "paired") found$estimate else found$estimate[1] - found$estimate[2]
    t_tests[[length(t_tests) + 1]] <- list(
      first = pair[1], second = pair[2], kind = kind, alternative = alternative,
      statistic = unname(found$statistic), parameter = unname(found$parameter), p_value = found$p.value,
      estimate = unname(estimate), lower = I(ends[1, ]), upper = I(ends[2, ])
    )
  }
}

one_sample <- list()
for (name in names(samples)) {
  values <- samples[[name]]
  ends <- vapply(levels, function(level) as.numeric(t.test(values, conf.level = level)$conf.int), c(0, 0))
  one_sample[[length(one_sample) + 1]] <- list(
    sample = name, mean = mean(values), sd = sd(values), n = length(values),
    lower = I(ends[1, ]), upper = I(ends[2, ])
  )
}

# two one-sided tests that the mean difference lies within .1
equivalence <- list()
for (pair in pairs[1:3]) {
  difference <- samples[[pair[1]]] - samples[[pair[2]]]
  p <- max(t.test(difference, mu = -0.1, alternative = "greater")$p.value,
           t.test(difference, mu = 0.1, alternative = "less")$p.value)
  equivalence[[length(equivalence) + 1]] <- list(first = pair[1], second = pair[2], margin = 0.1, p_value = p)
}

# images per class: all, right before, right after
networks <- list(
  two = list(c(10, 10), c(9, 7), c(7, 5)),
  tied = list(c(40, 25, 25, 30, 30), c(36, 20, 20, 27, 24), c(30, 20, 15, 15, 24)),
  ten = list(
    c(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    c(971, 1129, 1015, 997, 970, 879, 946, 1008, 955, 985),
    c(960, 1120, 940, 970, 931, 801, 930, 950, 870, 899)
  ),
  reversed = list(c(100, 100, 50), c(90, 70, 30), c(40, 60, 40))
)
regressions <- list()
for (name in names(networks)) for (reference in c("accuracy", "macro")) {
  support <- networks[[name]][[1]]
  normalized <- function(right) {
    recall <- right / support
    centre <- if (reference == "accuracy") sum(right) / sum(support) else mean(recall)
    (recall - centre) / centre
  }
  x <- normalized(networks[[name]][[2]])
  y <- normalized(networks[[name]][[3]])
  # the summary of a perfect fit (two classes) warns; its figures are right
  line <- suppressWarnings(summary(lm(y ~ x - 1)))
  free <- suppressWarnings(summary(lm(y ~ x)))
  regressions[[length(regressions) + 1]] <- list(
    network = name, reference = reference, support = I(support), before = I(networks[[name]][[2]]),
    after = I(networks[[name]][[3]]), x = I(x), y = I(y),
    slope = line$coefficients["x", "Estimate"], r_squared = line$r.squared,
    free_slope = free$coefficients["x", "Estimate"], free_intercept = free$coefficients["(Intercept)", "Estimate"],
    free_r_squared = free$r.squared
  )
}

families <- list(
  c(0.01, 0.04, 0.03, 0.005), c(0.02, 0.02, 0.02, 0.5, 1), c(0, 1e-300, 0.2, 0.2, 0.013, 0.9), c(0.04),
  c(0.3, NA, 0.001, NA, 0.012), c(0.0101, 0.0204, 0.0309, 0.0416, 0.0525)
)
adjusted <- list()
for (p in families) for (extra in c(0, 1, 20)) {
  m <- length(p) + extra
  values <- lapply(c(bonferroni = "bonferroni", holm = "holm", bh = "BH"), function(how) I(p.adjust(p, how, n = m)))
  adjusted[[length(adjusted) + 1]] <- c(list(p = I(p), m = m), values)
}

quantiles <- list()
for (df in c(1, 2, 2.5, 5.923, 29, 1000)) {
  tails <- c(0.2, 0.025, 0.005, 0.05 / 8, 0.05 / 50, 1e-6)
  quantiles[[length(quantiles) + 1]] <- list(df = df, tail = I(tails), t = I(qt(tails, df, lower.tail = FALSE)))
}

# discordant images: right only before, right only after; mid-p counts the outcomes as far as the observed half
discordant <- list()
for (pair in list(c(1, 0), c(0, 12), c(5, 5), c(3, 10), c(15, 40), c(101, 150), c(300, 190))) {
  n <- sum(pair)
  chance <- dbinom(0:n, n, 0.5)
  distance <- abs(2 * (0:n) - n)
  observed <- abs(pair[1] - pair[2])
  discordant[[length(discordant) + 1]] <- list(
    only_before = pair[1], only_after = pair[2], exact_p = binom.test(pair[1], n)$p.value,
    mid_p = sum(chance[distance > observed]) + sum(chance[distance == observed]) / 2
  )
}

cat("{\n", paste(c(
  paste0('"header": ', json(list(
    R = R.version.string, date = format(Sys.Date()),
    call = "Rscript --vanilla tests/data/r_reference.R > tests/data/r_reference.json"
  ))),
  paste0('"samples": ', json(lapply(samples, I))),
  paste0('"levels": ', json(I(levels))),
  paste0('"t_test": ', json(t_tests)),
  paste0('"one_sample": ', json(one_sample)),
  paste0('"tost": ', json(equivalence)),
  paste0('"lm": ', json(regressions)),
  paste0('"p_adjust": ', json(adjusted)),
  paste0('"qt": ', json(quantiles)),
  paste0('"mcnemar": ', json(discordant))
), collapse = ",\n"), "\n}\n", sep = "")
