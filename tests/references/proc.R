# Areas under the ROC curve, DeLong's intervals and tests by pROC: the references of test_intervals.py.
# Rscript tests/references/proc.R writes proc.csv beside it, from proc_scores.csv.
suppressMessages(library(pROC))
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
scores <- read.csv(file.path(here, "proc_scores.csv"))
rows <- list()
for (name in unique(scores$case)) {
  part <- scores[scores$case == name, ]
  first <- roc(part$truth, part$first, direction = "<", levels = c(0, 1), quiet = TRUE)
  second <- roc(part$truth, part$second, direction = "<", levels = c(0, 1), quiet = TRUE)
  ends <- as.numeric(ci.auc(first, method = "delong"))
  test <- roc.test(first, second, method = "delong", paired = TRUE)
  rows[[name]] <- data.frame(
    case = name, auc = ends[2], low = ends[1], high = ends[3], other = as.numeric(auc(second)),
    variance = var(first, method = "delong"), covariance = cov(first, second, method = "delong"),
    z = as.numeric(test$statistic), p_value = test$p.value
  )
}
table <- do.call(rbind, rows)
table$pROC <- as.character(packageVersion("pROC"))
write.csv(table, file.path(here, "proc.csv"), row.names = FALSE)
