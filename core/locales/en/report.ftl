# Texts of the reports.
unknown-report = There is no report “{ $name }”.
    .do = The reports are: { $known }.
report-by = Rows cannot be grouped by “{ $field }”.
    .do = Group by a choice, a reference, a date or a short text.
report-chart = The chart cannot be drawn: { $reason }
    .do = Take the table or the CSV instead.
report-funnel = Sales funnel
report-pipeline = Expected deals by month
report-activity = Activity by week
report-by-column = By
report-stage = Stage
report-month = Month
report-week = Week
report-count = Count
report-amount = Amount
report-weighted = Weighted
report-currency = Currency
report-conversion = Conversion
report-median-days = Median days
report-calls = Calls
report-meetings = Meetings
report-visits = Visits
report-tasks = Tasks
report-emails = E-mails
report-deals = Deals won
report-others = { $count ->
    [one] { $count } other
   *[other] { $count } others
}
