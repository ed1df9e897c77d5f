Story: Two sources describe one person
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales, email alice@hr.example
  idp pushes alice: department Unknown, email alice@corp.example
Then
  alice is active
  alice holds employee, sales
  alice's department is Sales from hr
  alice's emails come from idp
  at chat the account of alice has email alice@corp.example

Story: What the authoritative source drops the next one says
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales
  idp pushes alice: email alice@corp.example
On 2027-03-02 08:00
  hr changes alice: email alice@hr.example
  idp changes alice: email
Then
  alice's emails come from hr
  at chat the account of alice has email alice@hr.example

Story: A group of the source is a fact
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales
  hr puts alice in group app-oncall
Then
  alice holds employee, oncall, sales
  at git alice has an account in oncall
On 2027-03-02 08:00
  hr takes alice out of group app-oncall
Then
  alice holds employee, sales
  at git alice has no account

Story: A group is mirrored as it is
Configuration: sources

On 2027-03-01 08:00
  idp pushes alice: department Sales
  idp puts alice in group app-git-backend
Then
  at git alice has an account in app-git-backend
On 2027-03-02 08:00
  idp takes alice out of group app-git-backend
Then
  at git alice has no account

Story: One source falls silent, and nothing changes
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales
  idp pushes alice: email alice@corp.example
On 2027-06-01 08:00
Then
  alice holds employee, sales
  at crm alice has an account

Story: Inactive at the authoritative source is a leaver, whatever the other says
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales
  idp pushes alice: email alice@corp.example
On 2027-03-02 08:00
  hr changes alice: active false
Then
  alice is leaver
  at chat alice has no account

Story: Inactive at the other source changes nothing
Configuration: sources

On 2027-03-01 08:00
  hr pushes alice: department Sales
  idp pushes alice: email alice@corp.example
On 2027-03-02 08:00
  idp changes alice: active false
Then
  alice is active
  at chat alice has an account
