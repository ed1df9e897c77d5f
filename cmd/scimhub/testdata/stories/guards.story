Story: One real leaver passes while the mass is held
Configuration: company

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
  hr pushes dora: department Sales
  hr pushes emil: department Sales
On 2027-03-05 08:00
  hr changes ann: active false
  hr changes ben: active false
  hr changes cleo: active false
  hr changes dora: active false
Then
  hr has 2 leavers held
  at crm cleo has an account in sellers
On 2027-03-05 08:10
  the operator releases dora at hr
Then
  at crm dora has no account
  at crm cleo has an account in sellers
  hr has 1 leaver held
On 2027-03-05 08:20
  the operator releases all leavers at hr
Then
  at crm cleo has no account
  at crm emil has an account in sellers

Story: A last day known long before passes while the mass is held
Configuration: company

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
  hr pushes emil: department Sales, end 2027-03-05
On 2027-03-04 23:50
  hr changes ann: active false
  hr changes ben: active false
  hr changes cleo: active false
Then
  hr has 1 leaver held
On 2027-03-05 00:00
Then
  at crm emil has no account
  at crm cleo has an account in sellers

Story: Held leavers whom the source takes back were never off
Configuration: company

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
On 2027-03-05 08:00
  hr changes ann: active false
  hr changes ben: active false
  hr changes cleo: active false
Then
  at crm cleo has an account in sellers
On 2027-03-05 08:30
  hr changes cleo: active true
Then
  cleo is active
  at crm cleo has the account of before in sellers
