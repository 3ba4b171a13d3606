package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"stockbridge/internal/table"
)

// The attributes of an item, and the indexes over ix and is, and over gx and gs.
// In expressions they are always written #name, as some are reserved words.
const (
	attrPK    = "pk"
	attrSK    = "sk"
	attrRev   = "rev"
	attrData  = "data"
	attrIndex = "ix" // absent: not in the index
	attrSort  = "is"
	attrGroup = "gx" // absent: not in the second index
	attrOrder = "gs"
	attrTTL   = "ttl" // seconds since 1970

	indexName = "due"
	groupName = "groups"
)

// dynamo is table.Table over a DynamoDB table.
//
// One operation is one conditional request; several are one transaction, which
// costs twice as many write units. What is written ahead of them is a request of
// its own, made before. A refused request returns the item that refused it: its
// revision shows whether that was the request's own first try.
type dynamo struct {
	client *dynamodb.Client
	name   string
}

// NewTable returns the table with a name. Its schema must be as [CreateTable] makes it.
func NewTable(client *dynamodb.Client, name string) table.Table {
	return &dynamo{client, name}
}

// CreateTable makes an empty table as template.yaml does, and waits for it. It is
// for tests and for DynamoDB on a developer's machine.
func CreateTable(ctx context.Context, client *dynamodb.Client, name string) error {
	str := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	index := func(name, hash, sort string) types.GlobalSecondaryIndex {
		return types.GlobalSecondaryIndex{IndexName: aws.String(name), KeySchema: keys(hash, sort),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}}
	}
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{str(attrPK), str(attrSK), str(attrIndex), str(attrSort),
			str(attrGroup), str(attrOrder)},
		KeySchema: keys(attrPK, attrSK),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			index(indexName, attrIndex, attrSort),
			index(groupName, attrGroup, attrOrder),
		},
	})
	if err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	ready := dynamodb.NewTableExistsWaiter(client,
		func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 100 * time.Millisecond })
	if err := ready.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, 2*time.Minute); err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(attrTTL),
			Enabled: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("create table %s: expiry: %w", name, err)
	}
	return nil
}

// NewTableAt makes an empty table at an endpoint that asks for no account, such as DynamoDB on a developer's machine.
func NewTableAt(ctx context.Context, endpoint, name string) (table.Table, error) {
	client := dynamodb.New(dynamodb.Options{
		Region: "ap-southeast-2", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: impatiently(Transport())},
	})
	return NewTable(client, name), CreateTable(ctx, client, name)
}

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func keyOf(k table.Key) attributes { return attributes{attrPK: text(k.PK), attrSK: text(k.SK)} }

func attributesOf(it table.Item) attributes {
	a := keyOf(it.Key)
	a[attrRev] = text(it.Rev)
	if len(it.Data) > 0 {
		a[attrData] = &types.AttributeValueMemberB{Value: it.Data}
	}
	if it.Index != "" {
		a[attrIndex], a[attrSort] = text(it.Index), text(it.Sort)
	}
	if it.Group != "" {
		a[attrGroup], a[attrOrder] = text(it.Group), text(it.Order)
	}
	if !it.Expires.IsZero() {
		a[attrTTL] = &types.AttributeValueMemberN{Value: strconv.FormatInt(it.Expires.Unix(), 10)}
	}
	return a
}

func itemOf(a attributes) (it table.Item, err error) {
	str := func(name string) string {
		v, _ := a[name].(*types.AttributeValueMemberS)
		if v == nil {
			return ""
		}
		return v.Value
	}
	it = table.Item{Key: table.Key{PK: str(attrPK), SK: str(attrSK)}, Rev: str(attrRev), Index: str(attrIndex),
		Sort: str(attrSort), Group: str(attrGroup), Order: str(attrOrder)}
	if v, ok := a[attrData].(*types.AttributeValueMemberB); ok {
		it.Data = v.Value
	}
	if v, ok := a[attrTTL].(*types.AttributeValueMemberN); ok {
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			return it, fmt.Errorf("%s of an item: %w", attrTTL, err)
		}
		it.Expires = time.Unix(n, 0).UTC()
	}
	if it.PK == "" || it.SK == "" {
		return it, errors.New("an item without its key")
	}
	return it, nil
}

// condition returns the condition of an operation, nil if it has none, with its names and values.
func condition(o table.Op) (expr *string, names map[string]string, values attributes) {
	switch {
	case o.Kind == table.KindCreate, o.Kind == table.KindCheck && o.If == "":
		return aws.String("attribute_not_exists(#pk)"), map[string]string{"#pk": attrPK}, nil
	case o.Kind == table.KindReplace, o.Kind == table.KindCheck:
		return aws.String("#rev = :if"), map[string]string{"#rev": attrRev}, attributes{":if": text(o.If)}
	case o.Kind == table.KindRemove:
		return aws.String("attribute_not_exists(#pk) OR #rev = :if"),
			map[string]string{"#pk": attrPK, "#rev": attrRev}, attributes{":if": text(o.If)}
	}
	return nil, nil, nil
}

// Get implements table.Table.
func (d *dynamo) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidKeys(keys...); err != nil {
		return nil, err
	}
	switch len(keys) {
	case 0:
		return nil, ctx.Err()
	case 1:
		return d.getOne(ctx, keys[0])
	}
	found, err := d.getSeveral(ctx, keys)
	var items []table.Item
	for _, k := range keys {
		if it, ok := found[k]; ok {
			items = append(items, it)
		}
	}
	return items, err
}

func (d *dynamo) getOne(ctx context.Context, key table.Key) ([]table.Item, error) {
	out, err := d.client.GetItem(ctx,
		&dynamodb.GetItemInput{TableName: &d.name, Key: keyOf(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	it, err := itemOf(out.Item)
	return []table.Item{it}, err
}

// getSeveral reads items, in as many requests as it takes.
func (d *dynamo) getSeveral(ctx context.Context, keys []table.Key) (map[table.Key]table.Item, error) {
	found := make(map[table.Key]table.Item, len(keys))
	asked := make(map[table.Key]bool, len(keys))
	var ask []attributes // each key once, as the service demands
	for _, k := range keys {
		if !asked[k] {
			asked[k] = true
			ask = append(ask, keyOf(k))
		}
	}
	for try := 0; len(ask) > 0; {
		out, err := d.client.BatchGetItem(ctx,
			&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				d.name: {Keys: ask, ConsistentRead: aws.Bool(true)},
			}})
		if err != nil {
			return nil, fmt.Errorf("get items: %w", err)
		}
		for _, a := range out.Responses[d.name] {
			it, err := itemOf(a)
			if err != nil {
				return nil, err
			}
			found[it.Key] = it
		}
		left := out.UnprocessedKeys[d.name].Keys
		if len(left) < len(ask) {
			try = 0 // the answer was full, with 16 MB: no reason to wait
		} else if try++; try == maxTries {
			return nil, fmt.Errorf("get items: %d left unread", len(left))
		} else if err := pause(ctx, try); err != nil {
			return nil, err
		}
		ask = left
	}
	return found, nil
}

// keyCondition returns the condition of a query. The service takes one condition
// on a sort key, and its ranges include both ends: the caller must leave out an
// item at Until.
func keyCondition(hash, sort string, q table.Query) (expr string, names map[string]string, values attributes) {
	expr = "#h = :h"
	names, values = map[string]string{"#h": hash}, attributes{":h": text(q.PK)}
	if q.From != "" || q.Until != "" {
		names["#s"] = sort
	}
	if q.From != "" {
		values[":from"] = text(q.From)
	}
	if q.Until != "" {
		values[":until"] = text(q.Until)
	}
	switch {
	case q.From != "" && q.Until != "":
		expr += " AND #s BETWEEN :from AND :until"
	case q.From != "":
		expr += " AND #s >= :from"
	case q.Until != "":
		expr += " AND #s < :until"
	}
	return expr, names, values
}

func limitOf(q table.Query) *int32 {
	if q.Limit <= 0 {
		return nil
	}
	return aws.Int32(int32(min(q.Limit, 1<<20)))
}

func (d *dynamo) queryInput(hash, sort string, q table.Query) *dynamodb.QueryInput {
	expr, names, values := keyCondition(hash, sort, q)
	return &dynamodb.QueryInput{
		TableName: &d.name, KeyConditionExpression: &expr,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ScanIndexForward: aws.Bool(!q.Desc), Limit: limitOf(q),
	}
}

// Query implements table.Table.
func (d *dynamo) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := table.ValidKeys(table.Key{PK: q.PK, SK: "any"}); err != nil {
		return table.Page{}, err
	}
	if q.From != "" && q.Until != "" && q.From >= q.Until {
		return table.Page{}, ctx.Err() // the service refuses a range from the greater to the smaller
	}
	in := d.queryInput(attrPK, attrSK, q)
	in.ConsistentRead = aws.Bool(true)
	// The service refuses a start outside of the range, which means all or nothing of it.
	before := q.After != "" && q.After < q.From
	beyond := q.After != "" && q.Until != "" && q.After > q.Until
	switch {
	case before && q.Desc, beyond && !q.Desc:
		return table.Page{}, ctx.Err()
	case q.After != "" && !before && !beyond:
		in.ExclusiveStartKey = keyOf(table.Key{PK: q.PK, SK: q.After})
	}
	out, err := d.client.Query(ctx, in)
	if err != nil {
		return table.Page{}, fmt.Errorf("query: %w", err)
	}
	var p table.Page
	for _, a := range out.Items {
		it, err := itemOf(a)
		if err != nil {
			return table.Page{}, err
		}
		if q.Until == "" || it.SK < q.Until {
			p.Items = append(p.Items, it)
		}
	}
	if len(out.LastEvaluatedKey) > 0 {
		last, err := itemOf(out.LastEvaluatedKey)
		if err != nil {
			return table.Page{}, err
		}
		p.Next = last.SK
	}
	return p, nil
}

// List implements table.Table.
func (d *dynamo) List(ctx context.Context, q table.Query) (table.Entries, error) {
	if err := table.ValidKeys(table.Key{PK: q.PK, SK: "any"}); err != nil {
		return table.Entries{}, err
	}
	if q.From != "" && q.Until != "" && q.From >= q.Until {
		return table.Entries{}, ctx.Err()
	}
	name, hash, sort := indexName, attrIndex, attrSort
	if q.Group {
		name, hash, sort = groupName, attrGroup, attrOrder
	}
	entry := func(a attributes) (table.Entry, error) {
		it, err := itemOf(a)
		if q.Group {
			return table.Entry{Key: it.Key, Sort: it.Order}, err
		}
		return table.Entry{Key: it.Key, Sort: it.Sort}, err
	}
	in := d.queryInput(hash, sort, q)
	in.IndexName = aws.String(name)
	if q.After != "" {
		e, err := parseContinuation(q.After)
		if err != nil {
			return table.Entries{}, fmt.Errorf("list: not a continuation: %w", err)
		}
		in.ExclusiveStartKey = keyOf(e.Key)
		in.ExclusiveStartKey[hash], in.ExclusiveStartKey[sort] = text(q.PK), text(e.Sort)
	}
	out, err := d.client.Query(ctx, in)
	if err != nil {
		return table.Entries{}, fmt.Errorf("list: %w", err)
	}
	var es table.Entries
	for _, a := range out.Items {
		e, err := entry(a)
		if err != nil {
			return table.Entries{}, err
		}
		if q.Until == "" || e.Sort < q.Until {
			es.Entries = append(es.Entries, e)
		}
	}
	if len(out.LastEvaluatedKey) > 0 {
		last, err := entry(out.LastEvaluatedKey)
		if err != nil {
			return table.Entries{}, err
		}
		es.Next = continuation(last)
	}
	return es, nil
}

func continuation(e table.Entry) string {
	b, _ := json.Marshal([]string{e.PK, e.SK, e.Sort}) // strings always marshal
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseContinuation(after string) (table.Entry, error) {
	var parts [3]string
	b, err := base64.RawURLEncoding.DecodeString(after)
	if err == nil {
		err = json.Unmarshal(b, &parts)
	}
	return table.Entry{Key: table.Key{PK: parts[0], SK: parts[1]}, Sort: parts[2]}, err
}

// Write implements table.Table.
func (d *dynamo) Write(ctx context.Context, ops ...table.Op) error {
	if err := table.Valid(ops...); err != nil {
		return err
	}
	if len(ops) == 0 {
		return ctx.Err()
	}
	ahead, rest, at := table.Split(ops)
	if err := d.writeAhead(ctx, ahead); err != nil {
		return fmt.Errorf("write ahead: %w", err)
	}
	if len(rest) == 0 {
		return nil
	}
	err := d.writeRest(ctx, rest)
	if c, ok := errors.AsType[*table.Conflict](err); ok && len(ahead) > 0 {
		return c.Renumbered(at)
	}
	return err
}

// writeAhead writes items without a condition, in any order.
func (d *dynamo) writeAhead(ctx context.Context, ops []table.Op) error {
	if len(ops) == 1 {
		return d.writeOne(ctx, ops[0])
	}
	const most = 25 // of one request
	for some := range slices.Chunk(ops, most) {
		var puts []types.WriteRequest
		for _, o := range some {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: attributesOf(o.Item)}})
		}
		for try := 0; len(puts) > 0; {
			out, err := d.client.BatchWriteItem(ctx,
				&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{d.name: puts}})
			if err != nil {
				return err
			}
			left := out.UnprocessedItems[d.name]
			if len(left) < len(puts) {
				try = 0
			} else if try++; try == maxTries {
				return fmt.Errorf("%d left unwritten", len(left))
			}
			if puts = left; len(left) > 0 {
				if err := pause(ctx, max(try, 1)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writeRest writes what has conditions, or must take effect together.
func (d *dynamo) writeRest(ctx context.Context, ops []table.Op) error {
	for try := 1; ; try++ {
		conflict, busy, err := d.tryWrite(ctx, ops)
		switch {
		case conflict != nil && conflict.Done(ops):
			return nil
		case conflict != nil:
			return conflict
		case err == nil:
			return nil
		case !busy || try == maxTries:
			return fmt.Errorf("write: %w", err)
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// tryWrite tries once. busy reports whether it was refused because others are
// writing the same items, or for capacity; nothing was written then.
func (d *dynamo) tryWrite(ctx context.Context, ops []table.Op) (conflict *table.Conflict, busy bool, err error) {
	if len(ops) == 1 && ops[0].Kind != table.KindCheck {
		err = d.writeOne(ctx, ops[0])
	} else {
		err = d.transact(ctx, ops)
	}
	var one *types.ConditionalCheckFailedException
	var all *types.TransactionCanceledException
	var meets *types.TransactionConflictException
	var running *types.TransactionInProgressException
	switch {
	case errors.As(err, &one):
		conflict = &table.Conflict{Failed: []int{0}, Current: map[int]table.Item{}}
		return conflict, false, addCurrent(conflict, 0, one.Item)
	case errors.As(err, &all):
		return readCancellation(all, err)
	case errors.As(err, &meets), errors.As(err, &running):
		return nil, true, err
	}
	return nil, false, err
}

// readCancellation reads why a transaction was cancelled. A temporary reason
// takes precedence over a failed condition, as the other conditions may not have
// been tried then.
func readCancellation(e *types.TransactionCanceledException, err error) (conflict *table.Conflict, busy bool, _ error) {
	c := &table.Conflict{Current: map[int]table.Item{}}
	for i, r := range e.CancellationReasons {
		switch aws.ToString(r.Code) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return nil, true, err
		case "ConditionalCheckFailed":
			c.Failed = append(c.Failed, i)
			if err := addCurrent(c, i, r.Item); err != nil {
				return nil, false, err
			}
		}
	}
	if len(c.Failed) == 0 {
		return nil, false, err
	}
	return c, false, nil
}

func addCurrent(c *table.Conflict, i int, a attributes) error {
	if len(a) == 0 {
		return nil
	}
	it, err := itemOf(a)
	c.Current[i] = it
	return err
}

func (d *dynamo) writeOne(ctx context.Context, o table.Op) error {
	expr, names, values := condition(o)
	if o.Kind == table.KindRemove {
		_, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &d.name, Key: keyOf(o.Item.Key),
			ConditionExpression: expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	}
	_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &d.name, Item: attributesOf(o.Item),
		ConditionExpression: expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}

func (d *dynamo) transact(ctx context.Context, ops []table.Op) error {
	const allOld = types.ReturnValuesOnConditionCheckFailureAllOld
	items := make([]types.TransactWriteItem, len(ops))
	for i, o := range ops {
		expr, names, values := condition(o)
		switch o.Kind {
		case table.KindRemove:
			items[i].Delete = &types.Delete{
				TableName: &d.name, Key: keyOf(o.Item.Key), ReturnValuesOnConditionCheckFailure: allOld,
				ConditionExpression: expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			}
		case table.KindCheck:
			items[i].ConditionCheck = &types.ConditionCheck{
				TableName: &d.name, Key: keyOf(o.Item.Key), ReturnValuesOnConditionCheckFailure: allOld,
				ConditionExpression: expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			}
		default:
			items[i].Put = &types.Put{
				TableName: &d.name, Item: attributesOf(o.Item), ReturnValuesOnConditionCheckFailure: allOld,
				ConditionExpression: expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			}
		}
	}
	_, err := d.client.TransactWriteItems(ctx,
		&dynamodb.TransactWriteItemsInput{TransactItems: items, ClientRequestToken: tokenOf(ops)})
	return err
}

// tokenOf returns the token by which the service recognises a repeated
// transaction for ten minutes. A transaction of checks alone has no revision to
// make a token of, and needs a new answer; the SDK makes up a token for its
// retries.
func tokenOf(ops []table.Op) *string {
	sum := sha256.New()
	named := false
	for _, o := range ops {
		rev := o.Item.Rev
		if o.Kind == table.KindCheck {
			rev = ""
		}
		named = named || rev != ""
		fmt.Fprintf(sum, "%d %q %q %q %q\n", o.Kind, o.Item.PK, o.Item.SK, rev, o.If)
	}
	if !named {
		return nil
	}
	return aws.String(hex.EncodeToString(sum.Sum(nil)[:16])) // at most 36 characters
}

// maxTries is how often a write is tried that the service refuses because others
// write the same items. That passes within some milliseconds, and the SDK does
// not retry it.
const maxTries = 6

func pause(ctx context.Context, try int) error {
	t := time.NewTimer(5*time.Millisecond + rand.N(10*time.Millisecond<<try))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
