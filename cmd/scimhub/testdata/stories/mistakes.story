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


Story: A configuration that takes everybody to be on leave suspends few
Configuration: company-guarded

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
On 2027-03-02 08:00
  the operator applies the configuration company-on-leave
Then
  ann is leave
  cleo is leave
  at crm ann's account is inactive
  at crm ben has an account in sellers
  at crm cleo has an account in sellers
# Who leaves meanwhile leaves.
On 2027-03-02 08:10
  hr deletes cleo
Then
  at crm cleo has no account
On 2027-03-02 09:00
  the operator rolls the configuration back
Then
  at crm ann has the account of before in sellers
  at crm ben has the account of before in sellers
  cleo is leaver
  at crm cleo has no account

Story: Another zone moves the ends of contracts by hours, and loses none
Configuration: company-guarded

On 2027-03-01 08:00
  hr pushes ann: department Sales, end 2027-03-05
  hr pushes ben: department Sales, end 2027-03-05
  hr pushes cleo: department Sales
On 2027-03-04 20:00
  the operator applies the configuration company-far-east
# In Auckland the fifth began at eleven in the morning, UTC, of the fourth.
Then
  ann is leaver
  ben is leaver
  hr has 0 leavers held
  at crm ann has no account
  at crm ben has an account in sellers
  at crm cleo has an account in sellers
On 2027-03-04 21:00
  the operator rolls the configuration back
Then
  ben is active
  at crm ann has an account in sellers
On 2027-03-05 00:00
Then
  ann is leaver
  ben is leaver
  at crm ben has no account
  at crm ann has no account
