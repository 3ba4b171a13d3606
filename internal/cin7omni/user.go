package cin7omni

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"stockbridge/internal/rest"
)

// User is one of the account's own people, as a contact's sales person is. A new one shows up to 2 hours later.
type User struct {
	ID        int64  `json:"id" rest:"required"`
	IsActive  bool   `json:"isActive"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	JobTitle  string `json:"jobTitle"`
	Email     string `json:"email"`
}

// Name is the user's first and last name.
func (u User) Name() string {
	return strings.TrimSpace(strings.TrimSpace(u.FirstName) + " " + strings.TrimSpace(u.LastName))
}

// Users reads all users, active or not: a call for each page and one for the empty page.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var users []User
	for u, err := range rest.Pages(1, func(page int) (Page[User], error) { return c.UsersPage(ctx, page) }) {
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

// UsersPage reads a page of the users, from 1: one call.
func (c *Client) UsersPage(ctx context.Context, page int) (Page[User], error) {
	return listPage(ctx, c, string(UserList), url.Values{"order": {"id ASC"}}, page, readUser)
}

// readUser reads a user. What cannot be read of it is zero, but for its id.
func readUser(row []byte) (User, error) {
	var u User
	if err := rest.Unmarshal(row, &u); err != nil && u.ID <= 0 {
		return u, errors.New("a user has no id")
	}
	return u, nil
}
