Story: A configuration that takes the first day for the end ends few, not everybody
Configuration: company-guarded

On 2027-03-01 08:00
  hr pushes ann: department Sales, start 2027-01-01
  hr pushes ben: department Sales, start 2027-01-01
  hr pushes cleo: department Sales, start 2027-01-01
  hr pushes dora: department Sales, start 2027-01-01
On 2027-03-02 08:00
  the operator applies the configuration company-wrong-end
Then
  dora is leaver
  hr has 0 leavers held
# The application's own guard lets one of them go, as of any change of the rules.
  at crm cleo has an account in sellers
  at crm dora has an account in sellers
# Who really leaves meanwhile goes at once.
On 2027-03-02 08:10
  hr changes dora: active false
Then
  at crm dora has no account
  at crm cleo has an account in sellers
On 2027-03-02 09:00
  the operator rolls the configuration back
Then
  cleo is active
  at crm cleo has the account of before in sellers
  at crm ann has an account in sellers
  dora is leaver
  at crm dora has no account

